package slots

import "strconv"

// Request is what Route needs to know of a command that names keys.
type Request struct {
	Slot      Slot
	CrossSlot bool // its keys are in more than one slot
	Write     bool // it may write (or is EVAL-like and not known to be read-only)
	PubSub    bool // it names shard channels, not keys
	ReadOnly  bool // the session said READONLY
	Asking    bool // the session said ASKING, or the command implies it (RESTORE-ASKING)
	Migrate   bool // it is MIGRATE

	// How many of its keys are there, and are not; read only if the slot is open.
	Present, Missing int
}

// Redirect sends the client to another node.
type Redirect struct {
	Ask      bool // for this command only
	Slot     Slot
	Endpoint string
	Port     int
}

func (r *Redirect) Error() string {
	word := "MOVED "
	if r.Ask {
		word = "ASK "
	}
	return word + strconv.Itoa(int(r.Slot)) + " " + r.Endpoint + ":" + strconv.Itoa(r.Port)
}

// Unavailable says why no node can serve the command now. Its text is the whole error reply.
type Unavailable string

func (u Unavailable) Error() string { return string(u) }

// The reasons of Unavailable.
const (
	CrossSlot  Unavailable = "CROSSSLOT Keys in request don't hash to the same slot"
	TryAgain   Unavailable = "TRYAGAIN Multiple keys request during rehashing of slot"
	Unbound    Unavailable = "CLUSTERDOWN Hash slot not served"
	StateDown  Unavailable = "CLUSTERDOWN The cluster is down"
	WritesDown Unavailable = "CLUSTERDOWN The cluster is down and only accepts read commands"
)

// Route decides whether the command is served here (nil), and if not, returns a
// *Redirect or an Unavailable. It must run with the slot locked when the slot is
// open, since ASK depends on which keys are there.
//
// The rules and their order are those of the Redis Cluster specification
// ("Redirection and resharding", "ASK redirection", "Multi-keys operations",
// "Scaling reads using replica nodes") as redis-server 7 answers them.
func Route(v *View, r Request) error {
	if !v.Enabled {
		return nil
	}
	owner := v.Owner[r.Slot]
	if owner == NoNode {
		return Unbound
	}
	if r.CrossSlot {
		return CrossSlot
	}
	if v.Down {
		if err := whenDown(v, r); err != nil {
			return err
		}
	}
	if len(v.Migrating) != 0 || len(v.Importing) != 0 {
		if served, err := routeOpen(v, r); served || err != nil {
			return err
		}
	}
	if owner == v.Self {
		return nil
	}
	if r.ReadOnly && !r.Write && owner == v.Primary {
		return nil
	}
	return v.redirect(false, r.Slot, owner)
}

func whenDown(v *View, r Request) error {
	switch {
	case r.PubSub:
		if !v.PubSubWhenDown {
			return StateDown
		}
	case !v.ReadsWhenDown:
		return StateDown
	case r.Write:
		return WritesDown
	}
	return nil
}

// routeOpen decides for open slots; served is true if this node takes the command.
func routeOpen(v *View, r Request) (served bool, err error) {
	target, migrating := v.Migrating[r.Slot]
	_, importing := v.Importing[r.Slot]
	switch {
	case !migrating && !importing:
		return false, nil
	case r.Migrate:
		return true, nil
	case r.PubSub:
		return false, nil
	case migrating && r.Missing > 0:
		if r.Present > 0 {
			return false, TryAgain
		}
		return false, v.redirect(true, r.Slot, target)
	case importing && r.Asking:
		if r.Missing > 0 && r.Missing+r.Present > 1 {
			return false, TryAgain
		}
		return true, nil
	}
	return false, nil
}

func (v *View) redirect(ask bool, slot Slot, to uint16) error {
	node := v.Nodes[to]
	return &Redirect{Ask: ask, Slot: slot, Endpoint: node.Endpoint, Port: node.Port}
}
