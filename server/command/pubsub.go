package command

import (
	"fmt"
	"strconv"
	"strings"

	"cobble/slots"
)

func pubsubCommands() []Command {
	const listen, talk = PubSub | NoScript | Loading | Stale, PubSub | Loading | Stale | Fast
	const perChannel = "O(N) where N is the number of channels to subscribe to."
	shardKeys := func(last int) []KeySpec { return Key(KeyNotKey, 1, last, 1) }
	help := Command{Name: "help", Arity: 2, Flags: Loading | Stale, Since: "6.2.0", Summary: "Returns helpful text about the different subcommands.",
		Complexity: "O(1)", Serve: helpOf("PUBSUB", pubsubHelp)}
	rows := []Command{
		{Name: "subscribe", channels: listensTo, Arity: -2, Flags: listen, Since: "2.0.0", Summary: "Listens for messages published to channels.",
			Complexity: perChannel, Serve: listenTo(topicChannel)},
		{Name: "psubscribe", channels: listensToPatterns, Arity: -2, Flags: listen, Since: "2.0.0", Summary: "Listens for messages published to channels that match one or more patterns.",
			Complexity: "O(N) where N is the number of patterns to subscribe to.", Serve: listenTo(topicPattern)},
		{Name: "ssubscribe", channels: listensTo, Arity: -2, Flags: listen, Keys: shardKeys(-1), Since: "7.0.0", Summary: "Listens for messages published to shard channels.",
			Complexity: perChannel, Serve: listenTo(topicShard)},
		{Name: "unsubscribe", Arity: -1, Flags: listen, Since: "2.0.0", Summary: "Stops listening to messages posted to channels.",
			Complexity: "O(N) where N is the number of channels to unsubscribe.", Serve: stopListening(topicChannel)},
		{Name: "punsubscribe", Arity: -1, Flags: listen, Since: "2.0.0", Summary: "Stops listening to messages published to channels that match one or more patterns.",
			Complexity: "O(N) where N is the number of patterns to unsubscribe.", Serve: stopListening(topicPattern)},
		{Name: "sunsubscribe", Arity: -1, Flags: listen, Keys: shardKeys(-1), Since: "7.0.0", Summary: "Stops listening to messages posted to shard channels.",
			Complexity: "O(N) where N is the number of shard channels to unsubscribe.", Serve: stopListening(topicShard)},
		{Name: "publish", channels: publishesTo, Arity: 3, Flags: talk | MayReplicate, Since: "2.0.0", Summary: "Posts a message to a channel.",
			Complexity: "O(N+M) where N is the number of clients subscribed to the receiving channel and M is the total number of subscribed patterns (by any client).", Serve: publish},
		{Name: "spublish", channels: publishesTo, Arity: 3, Flags: talk | MayReplicate, Keys: shardKeys(1), Since: "7.0.0", Summary: "Post a message to a shard channel",
			Complexity: "O(N) where N is the number of clients subscribed to the receiving shard channel.", Serve: spublish},
		{Name: "pubsub", Arity: -2, Since: "2.8.0", Summary: "A container for Pub/Sub commands.", Complexity: "Depends on subcommand.", Sub: []Command{
			{Name: "channels", Arity: -2, Since: "2.8.0", Summary: "Returns the active channels.", Complexity: "O(N) where N is the number of active channels, and assuming constant time pattern matching (relatively short channels and patterns)", Serve: activeTopics(topicChannel)},
			{Name: "shardchannels", Arity: -2, Since: "7.0.0", Summary: "Returns the active shard channels.", Complexity: "O(N) where N is the number of active shard channels, and assuming constant time pattern matching (relatively short channels and patterns).", Serve: activeTopics(topicShard)},
			{Name: "numsub", Arity: -2, Since: "2.8.0", Summary: "Returns a count of subscribers to channels.", Complexity: "O(N) for the NUMSUB subcommand, where N is the number of requested channels", Serve: countListeners(topicChannel)},
			{Name: "shardnumsub", Arity: -2, Since: "7.0.0", Summary: "Returns the count of subscribers of shard channels.", Complexity: "O(N) for the SHARDNUMSUB subcommand, where N is the number of requested shard channels", Serve: countListeners(topicShard)},
			{Name: "numpat", Arity: 2, Since: "2.8.0", Summary: "Returns a count of unique pattern subscriptions.", Complexity: "O(1)", Serve: countPatterns},
			help,
		}},
	}
	for i := range rows {
		row := &rows[i]
		row.Group = "pubsub"
		for j := range row.Sub {
			row.Sub[j].Group = "pubsub"
			if row.Sub[j].Name != "help" {
				row.Sub[j].Flags = PubSub | Loading | Stale
			}
		}
	}
	return append(rows, Command{Name: "monitor", Arity: 1, Flags: Admin | NoScript | Loading | Stale, Group: "server", Since: "1.0.0",
		Summary: "Listens for all requests received by the server in real-time.", Serve: monitor})
}

// routeShard is Route for commands about channels of a shard.
func (c *Call) routeShard(channels [][]byte) error {
	request := slots.Request{Slot: slots.Of(channels[0]), PubSub: true, ReadOnly: true, CrossSlot: c.crosses(channels)}
	return slots.Route(c.view(), request)
}

func listenTo(kind topicKind) func(*Call) error {
	return func(c *Call) error {
		if kind == topicShard {
			if err := c.routeShard(c.Args[1:]); err != nil {
				return err
			}
		}
		c.Client.holdMail() // the first message comes behind the reply
		for _, topic := range c.Args[1:] {
			n := c.Env.Broker.subscribe(c.Client, kind, string(topic))
			c.confirm(topicWords[kind].subscribe, topic, n)
		}
		c.mayStillListen(kind)
		return nil
	}
}

// mayStillListen closes the connection if the user lost the channels between the
// check of the command and the subscription, when killListeners did not see it.
func (c *Call) mayStillListen(kind topicKind) {
	rules := c.Client.user.Load().Rules()
	if rules.Everything() {
		return
	}
	for _, topic := range c.Args[1:] {
		if !rules.MayListen(topic, kind == topicPattern) {
			c.Client.Closing = true
		}
	}
}

func stopListening(kind topicKind) func(*Call) error {
	return func(c *Call) error {
		word := topicWords[kind].unsubscribe
		topics := c.Args[1:]
		if len(topics) == 0 {
			for _, topic := range c.Env.Broker.subscribed(c.Client, kind) {
				topics = append(topics, []byte(topic))
			}
			if len(topics) == 0 {
				counts := c.Env.Broker.counts(c.Client)
				n := counts[topicChannel] + counts[topicPattern]
				if kind == topicShard {
					n = counts[topicShard]
				}
				c.confirm(word, nil, n)
				return nil
			}
		} else if kind == topicShard {
			if err := c.routeShard(topics); err != nil {
				return err
			}
		}
		for _, topic := range topics {
			c.confirm(word, topic, c.Env.Broker.unsubscribe(c.Client, kind, string(topic)))
		}
		return nil
	}
}

// confirm writes the reply to one subscription that began or ended.
func (c *Call) confirm(word string, topic []byte, n int) {
	c.Out.Push(3)
	c.Out.BulkString(word)
	if topic == nil {
		c.Out.Null()
	} else {
		c.Out.Bulk(topic)
	}
	c.Out.Int(int64(n))
}

func publish(c *Call) error { return c.publish(false) }

func spublish(c *Call) error {
	if err := c.routeShard(c.Args[1:2]); err != nil {
		return err
	}
	return c.publish(true)
}

func (c *Call) publish(shard bool) error {
	if cluster := c.Env.Cluster; cluster != nil && cluster.Cast != nil {
		cluster.Cast(shard, AppendCast(nil, c.Args[1], c.Args[2]))
	}
	c.Out.Int(c.Env.Broker.Publish(shard, c.Args[1], c.Args[2]))
	return nil
}

func activeTopics(kind topicKind) func(*Call) error {
	return func(c *Call) error {
		if len(c.Args) > 3 {
			return c.badSubcommand()
		}
		var pattern []byte
		if len(c.Args) == 3 {
			pattern = c.Args[2]
		}
		found := c.Env.Broker.matching(kind, pattern)
		c.Out.Array(len(found))
		for _, topic := range found {
			c.Out.BulkString(topic)
		}
		return nil
	}
}

func (c *Call) badSubcommand() error {
	container := c.Cmd
	if container.container != nil {
		container = container.container
	}
	return errorf("ERR unknown subcommand or wrong number of arguments for '%s'. Try %s HELP.", quoted(c.Args[1], 128), strings.ToUpper(container.Name))
}

func countListeners(kind topicKind) func(*Call) error {
	return func(c *Call) error {
		c.Out.Array(2 * (len(c.Args) - 2))
		for _, topic := range c.Args[2:] {
			c.Out.Bulk(topic)
			c.Out.Int(int64(c.Env.Broker.listeners(kind, string(topic))))
		}
		return nil
	}
}

func countPatterns(c *Call) error {
	n, _ := c.Env.Broker.sizes()
	c.Out.Int(int64(n[topicPattern]))
	return nil
}

// mayRunSubscribed refuses what a client that has subscribed in RESP2 must not say.
func (c *Call) mayRunSubscribed() error {
	if c.Client.listens.Load() == 0 || c.Out.Proto() == 3 {
		return nil
	}
	switch c.Cmd.Name {
	case "ping", "subscribe", "ssubscribe", "sunsubscribe", "psubscribe", "unsubscribe", "punsubscribe", "quit", "reset":
		return nil
	}
	return errorf("ERR Can't execute '%s': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context", c.Cmd.FullName())
}

func monitor(c *Call) error {
	if c.inExec {
		return Error("ERR MONITOR isn't allowed for DENY BLOCKING client")
	}
	c.Client.holdMail() // the first line comes behind the reply
	c.Client.monitors.Store(true)
	c.Env.Broker.monitor(c.Client)
	c.Out.OK()
	return nil
}

// showMonitors tells monitors of the command that is about to run. What is queued is shown at EXEC, with EXEC behind it.
func (c *Call) showMonitors() {
	if c.Client.multi.on && (c.Cmd.Flags&runsInMulti == 0 || c.Cmd.Name == "exec") {
		return
	}
	c.Env.Broker.feed(c.monitorLine(nil, c.Client.Addr, c.Cmd, c.Args))
}

// monitored reports whether anybody has said MONITOR.
func (c *Call) monitored() bool { return c.Env.Broker.watched.Load() != 0 }

// monitorLine appends what a monitor sees of a command, nothing for those that are not shown. Commands of scripts come
// from "lua".
func (c *Call) monitorLine(line []byte, from string, cmd *Command, args [][]byte) []byte {
	if cmd.Flags&Admin != 0 || cmd.Flags&SkipMonitor != 0 && !cmd.script {
		return line
	}
	micros := c.Env.Process.Micros()
	line = fmt.Appendf(line, "+%d.%06d [0 %s]", micros/1_000_000, micros%1_000_000, from)
	secret := cmd.Name == "auth" || cmd.Name == "hello"
	for i, arg := range args {
		if secret && i > 0 {
			arg = []byte("(redacted)")
		}
		line = append(line, ' ')
		line = appendQuoted(line, arg)
	}
	return append(line, '\r', '\n')
}

// appendQuoted quotes a string as Redis does in MONITOR.
func appendQuoted(dst, s []byte) []byte {
	dst = append(dst, '"')
	for _, b := range s {
		switch b {
		case '\\', '"':
			dst = append(dst, '\\', b)
		case '\n':
			dst = append(dst, `\n`...)
		case '\r':
			dst = append(dst, `\r`...)
		case '\t':
			dst = append(dst, `\t`...)
		case '\a':
			dst = append(dst, `\a`...)
		case '\b':
			dst = append(dst, `\b`...)
		default:
			if b >= 0x20 && b < 0x7f {
				dst = append(dst, b)
			} else {
				dst = append(append(dst, `\x`...), hexByte(b)...)
			}
		}
	}
	return append(dst, '"')
}

func hexByte(b byte) string {
	s := strconv.FormatUint(uint64(b), 16)
	if len(s) == 1 {
		s = "0" + s
	}
	return s
}

const pubsubHelp = `
CHANNELS [<pattern>]
    Return the currently active channels matching a <pattern> (default: '*').
NUMPAT
    Return number of subscriptions to patterns.
NUMSUB [<channel> ...]
    Return the number of subscribers for the specified channels, excluding
    pattern subscriptions(default: no channels).
SHARDCHANNELS [<pattern>]
    Return the currently active shard level channels matching a <pattern> (default: '*').
SHARDNUMSUB [<shardchannel> ...]
    Return the number of subscribers for the specified shard level channel(s)`
