package command

import (
	"strings"

	"cobble/storage"
)

const (
	errRedirectTwice Error = "ERR A client can only redirect to a single other client"
	errRedirectGone  Error = "ERR The client ID you want redirect to does not exist"
	errPrefix        Error = "ERR PREFIX option requires BCAST mode to be enabled"
	errSwitchBcast   Error = "ERR You can't switch BCAST mode on/off before disabling tracking for this client, and then re-enabling it with a different mode."
	errBcastOpt      Error = "ERR OPTIN and OPTOUT are not compatible with BCAST"
	errOptBoth       Error = "ERR You can't specify both OPTIN mode and OPTOUT mode"
	errSwitchOpt     Error = "ERR You can't switch OPTIN/OPTOUT mode before disabling tracking for this client, and then re-enabling it with a different mode."
	errNotTracking   Error = "ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode enabled"
	errCachingYes    Error = "ERR CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode."
	errCachingNo     Error = "ERR CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode."
)

// clientTracking is CLIENT TRACKING ON|OFF [REDIRECT id] [PREFIX p …] [BCAST] [OPTIN] [OPTOUT] [NOLOOP].
func clientTracking(c *Call) error {
	to := tracked{on: true}
	var prefixes []string
	for args := c.Args[3:]; len(args) > 0; args = args[1:] {
		switch word := strings.ToLower(string(args[0])); {
		case word == "redirect" && len(args) > 1:
			if to.redirect != 0 {
				return errRedirectTwice
			}
			id, ok := storage.ParseInt(args[1])
			if !ok {
				return ErrNotInteger
			}
			if c.Env.Clients.find(uint64(id)) == nil {
				return errRedirectGone
			}
			to.redirect, args = id, args[1:]
		case word == "prefix" && len(args) > 1:
			prefixes, args = append(prefixes, string(args[1])), args[1:]
		case word == "bcast":
			to.broadcast = true
		case word == "optin":
			to.optIn = true
		case word == "optout":
			to.optOut = true
		case word == "noloop":
			to.noLoop = true
		default:
			return ErrSyntax
		}
	}
	on, ok := onOff(c.Args[2])
	switch {
	case !ok:
		return ErrSyntax
	case !on:
		c.Env.Tracking.leave(c.Client)
	default:
		if err := c.mayTrack(&to, prefixes); err != nil {
			return err
		}
		c.Env.Tracking.set(c.Client, to, prefixes)
	}
	c.Out.OK()
	return nil
}

// mayTrack refuses options that do not go together, or with what the client has said before.
func (c *Call) mayTrack(to *tracked, prefixes []string) error {
	old := &c.Client.track
	switch {
	case !to.broadcast && len(prefixes) > 0:
		return errPrefix
	case old.on && old.broadcast != to.broadcast:
		return errSwitchBcast
	case to.broadcast && (to.optIn || to.optOut):
		return errBcastOpt
	case to.optIn && to.optOut:
		return errOptBoth
	case to.optIn && old.optOut || to.optOut && old.optIn:
		return errSwitchOpt
	}
	overlap := func(a, b string) bool { return strings.HasPrefix(a, b) || strings.HasPrefix(b, a) }
	for i, prefix := range prefixes {
		for _, other := range old.prefixes {
			if overlap(prefix, other) {
				return errorf("ERR Prefix '%s' overlaps with an existing prefix '%s'. Prefixes for a single client must not overlap.", prefix, other)
			}
		}
		for _, other := range prefixes[i+1:] {
			if overlap(prefix, other) {
				return errorf("ERR Prefix '%s' overlaps with another provided prefix '%s'. Prefixes for a single client must not overlap.", prefix, other)
			}
		}
	}
	return nil
}

func clientCaching(c *Call) error {
	s := &c.Client.track
	switch {
	case !s.on:
		return errNotTracking
	case fold(c.Args[2], "YES"):
		if !s.optIn {
			return errCachingYes
		}
	case fold(c.Args[2], "NO"):
		if !s.optOut {
			return errCachingNo
		}
	default:
		return ErrSyntax
	}
	s.caching = true
	c.Out.OK()
	return nil
}

func clientGetRedir(c *Call) error {
	_, redirect := c.Env.Tracking.shown(c.Client)
	c.Out.Int(redirect)
	return nil
}

func clientTrackingInfo(c *Call) error {
	letters, redirect := c.Env.Tracking.shown(c.Client)
	s := &c.Client.track
	flags := []string{"off"}
	if s.on {
		flags[0] = "on"
	}
	add := func(on bool, name string) {
		if on {
			flags = append(flags, name)
		}
	}
	add(s.broadcast, "bcast")
	add(s.optIn, "optin")
	add(s.optIn && s.caching, "caching-yes")
	add(s.optOut, "optout")
	add(s.optOut && s.caching, "caching-no")
	add(s.noLoop, "noloop")
	add(strings.Contains(letters, "R"), "broken_redirect")
	c.Out.Map(3)
	c.Out.BulkString("flags")
	c.Out.Set(len(flags))
	for _, flag := range flags {
		c.Out.BulkString(flag)
	}
	c.Out.BulkString("redirect")
	c.Out.Int(redirect)
	c.Out.BulkString("prefixes")
	c.Out.Array(len(s.prefixes))
	for _, prefix := range s.prefixes {
		c.Out.BulkString(prefix)
	}
	return nil
}
