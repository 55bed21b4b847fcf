package command

import (
	"slices"
	"strconv"
	"strings"

	"cobble/storage"
)

func clientCommands() []Command {
	const plain = NoScript | Loading | Stale
	const nodes, succeeded = "request_policy:all_nodes", "response_policy:all_succeeded"
	sub := func(name string, arity int, flags Flags, since, summary string, serve func(*Call) error, tips ...string) Command {
		return Command{Name: name, Arity: arity, Flags: plain | flags, Categories: "@connection", Group: "connection", Since: since, Tips: tips,
			Summary: summary, Complexity: "O(1)", Serve: serve}
	}
	list := sub("list", -2, Admin, "2.4.0", "Lists open connections.", clientList, "nondeterministic_output")
	list.Complexity = "O(N) where N is the number of client connections"
	kill := sub("kill", -3, Admin, "2.4.0", "Terminates open connections.", clientKill)
	kill.Complexity = list.Complexity
	return []Command{{Name: "client", Arity: -2, Group: "connection", Since: "2.4.0",
		Summary: "A container for client connection commands.", Complexity: "Depends on subcommand.", Serve: needsSubcommand,
		Sub: []Command{
			sub("caching", 3, 0, "6.0.0", "Instructs the server whether to track the keys in the next request.", clientCaching),
			sub("capa", -3, 0, "8.0.0", "Tells what the client is able to do.", clientCapa),
			sub("getname", 2, 0, "2.6.9", "Returns the name of the connection.", clientGetName),
			sub("getredir", 2, 0, "6.0.0", "Returns the client ID to which the connection's tracking notifications are redirected.", clientGetRedir),
			sub("help", 2, 0, "5.0.0", "Returns helpful text about the different subcommands.", helpOf("CLIENT", clientHelp)).with(Loading | Stale),
			sub("id", 2, 0, "5.0.0", "Returns the unique client ID of the connection.", clientID),
			sub("info", 2, 0, "6.2.0", "Returns information about the connection.", clientInfoCommand, "nondeterministic_output"),
			kill, list,
			sub("no-evict", 3, Admin, "7.0.0", "Sets the client eviction mode of the connection.", clientNoEvict),
			sub("no-touch", 3, 0, "7.2.0", "Controls whether commands sent by the client affect the LRU/LFU of accessed keys.", clientNoTouch),
			sub("pause", -3, Admin, "3.0.0", "Suspends commands processing.", clientPause),
			sub("reply", 3, 0, "3.2.0", "Instructs the server whether to reply to commands.", clientReply),
			sub("setinfo", 4, 0, "7.2.0", "Sets information specific to the client or connection.", clientSetInfo, nodes, succeeded),
			sub("setname", 3, 0, "2.6.9", "Sets the connection name.", clientSetName, nodes, succeeded),
			sub("tracking", -3, 0, "6.0.0", "Controls server-assisted client-side caching for the connection.", clientTracking),
			sub("trackinginfo", 2, 0, "6.2.0", "Returns information about server-assisted client-side caching for the connection.", clientTrackingInfo),
			sub("unblock", -3, Admin, "5.0.0", "Unblocks a client blocked by a blocking command from a different connection.", clientUnblock),
			sub("unpause", 2, Admin, "6.2.0", "Resumes processing commands from paused clients.", clientUnpause),
		}}}
}

// needsSubcommand is what a container does when it is called bare: it never
// gets there, since its arity asks for a subcommand.
func needsSubcommand(c *Call) error { return ErrSyntax }

const errClientName Error = "ERR Client names cannot contain spaces, newlines or special characters."

func printable(name []byte) bool {
	for _, b := range name {
		if b < '!' || b > '~' {
			return false
		}
	}
	return true
}

func (c *Client) setName(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.info.name = name
}

func sortClients(list []*Client) {
	slices.SortFunc(list, func(a, b *Client) int { return int(int64(a.ID) - int64(b.ID)) })
}

func clientID(c *Call) error {
	c.Out.Int(int64(c.Client.ID))
	return nil
}

func clientSetName(c *Call) error {
	if !printable(c.Args[2]) {
		return errClientName
	}
	c.Client.setName(string(c.Args[2]))
	c.Out.OK()
	return nil
}

func clientGetName(c *Call) error {
	c.Client.mu.Lock()
	name := c.Client.info.name
	c.Client.mu.Unlock()
	if name == "" {
		c.Out.Null()
	} else {
		c.Out.BulkString(name)
	}
	return nil
}

func clientSetInfo(c *Call) error {
	i := &c.Client.info
	var to *string
	switch {
	case equalFold(c.Args[2], "lib-name"):
		to = &i.libName
	case equalFold(c.Args[2], "lib-ver"):
		to = &i.libVersion
	default:
		return errorf("ERR Unrecognized option '%s'", c.Args[2])
	}
	if !printable(c.Args[3]) {
		return errorf("ERR %s cannot contain spaces, newlines or special characters.", strings.ToLower(string(c.Args[2])))
	}
	c.Client.mu.Lock()
	*to = string(c.Args[3])
	c.Client.mu.Unlock()
	c.Out.OK()
	return nil
}

func onOff(arg []byte) (on, ok bool) {
	switch {
	case equalFold(arg, "on"):
		return true, true
	case equalFold(arg, "off"):
		return false, true
	}
	return false, false
}

func clientNoEvict(c *Call) error {
	on, ok := onOff(c.Args[2])
	if !ok {
		return ErrSyntax
	}
	c.Client.mu.Lock()
	c.Client.info.noEvict = on
	c.Client.mu.Unlock()
	c.Out.OK()
	return nil
}

func clientNoTouch(c *Call) error {
	on, ok := onOff(c.Args[2])
	if !ok {
		return ErrSyntax
	}
	c.Client.noTouch = on
	c.Out.OK()
	return nil
}

func clientReply(c *Call) error {
	switch {
	case equalFold(c.Args[2], "on"):
		c.Client.reply = replyOn
		c.Out.OK()
	case equalFold(c.Args[2], "off"):
		c.Client.reply = replyOff
	case equalFold(c.Args[2], "skip"):
		if c.Client.reply == replyOn {
			c.Client.reply = replySkipNext
		}
	default:
		return ErrSyntax
	}
	return nil
}

func clientPause(c *Call) error {
	if len(c.Args) > 4 {
		return c.badSubcommand()
	}
	all := len(c.Args) == 3 || equalFold(c.Args[3], "all")
	if !all && !equalFold(c.Args[3], "write") {
		return Error("ERR CLIENT PAUSE mode must be WRITE or ALL")
	}
	ms, err := strconv.ParseInt(string(c.Args[2]), 10, 64)
	switch {
	case err != nil || ms > 1<<53:
		return Error("ERR timeout is not an integer or out of range")
	case ms < 0:
		return Error("ERR timeout is negative")
	}
	until := c.Env.Process.Micros()/1000 + ms
	if all {
		c.Env.Pause.All(until)
	} else {
		c.Env.Pause.Writes(until)
	}
	c.Out.OK()
	return nil
}

func clientUnpause(c *Call) error {
	c.Env.Pause.End()
	c.Out.OK()
	return nil
}

func clientUnblock(c *Call) error {
	reason := "TIMEOUT"
	if len(c.Args) == 4 {
		reason = strings.ToUpper(string(c.Args[3]))
	}
	if len(c.Args) > 4 {
		return c.badSubcommand()
	}
	if reason != "TIMEOUT" && reason != "ERROR" {
		return Error("ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR")
	}
	id, ok := storage.ParseInt(c.Args[2])
	if !ok {
		return ErrNotInteger
	}
	c.Env.Clients.mu.Lock()
	other := c.Env.Clients.all[uint64(id)]
	c.Env.Clients.mu.Unlock()
	c.Out.Int(other.unblockNow(reason))
	return nil
}

// unblockNow ends the wait of a blocked client; it returns 1 if it was waiting.
func (c *Client) unblockNow(reason string) int64 {
	if c == nil {
		return 0
	}
	if end := c.unblock.Load(); end != nil && (*end)(reason) {
		return 1
	}
	return 0
}
