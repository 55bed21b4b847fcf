package command

import (
	"fmt"
	"strings"
)

// describe prints a client as ACL LOG does.
func (c *Client) describe(now int64, e *Env) string {
	var b strings.Builder
	c.line(&b, now, e)
	return strings.TrimSuffix(b.String(), "\n")
}

// line prints a client as CLIENT LIST does.
func (c *Client) line(b *strings.Builder, now int64, e *Env) {
	subs := e.Broker.counts(c)
	letters, redirect := e.Tracking.shown(c)
	c.mu.Lock()
	defer c.mu.Unlock()
	i, unsent := &c.info, c.Unsent.Load()+c.box.size()
	command := "NULL"
	if i.lastCommand != nil {
		command = i.lastCommand.FullName()
	}
	fmt.Fprintf(b, "id=%d addr=%s laddr=%s fd=%d name=%s age=%d idle=%d flags=%s db=0 sub=%d psub=%d ssub=%d multi=%d watch=%d "+
		"qbuf=%d qbuf-free=%d argv-mem=%d multi-mem=%d rbs=0 rbp=0 obl=0 oll=%d omem=%d tot-mem=%d events=r cmd=%s user=%s redir=%d resp=%d lib-name=%s lib-ver=%s io-thread=0 tot-net-in=%d tot-net-out=%d tot-cmds=%d capa=%s\n",
		c.ID, c.Addr, c.LocalAddr, c.FD, i.name, (now-c.Created)/1000, max(now-i.lastActive, 0)/1000, c.flags(letters), subs[topicChannel], subs[topicPattern], subs[topicShard], i.multiLen, i.watching,
		i.queryBytes, i.queryFree, i.argBytes, i.multiBytes, min(unsent, 1), unsent, c.held(),
		command, c.user.Load().Name(), redirect, i.proto, i.libName, i.libVersion, i.netIn, i.netOut, i.commands, i.capa)
}

// flags are the letters of CLIENT LIST, with those of Tracking. mu is held.
func (c *Client) flags(tracking string) string {
	i := &c.info
	var b strings.Builder
	if c.follows.Load() {
		b.WriteByte('S')
	} else if c.monitors.Load() {
		b.WriteByte('O')
	}
	if c.listens.Load() != 0 {
		b.WriteByte('P')
	}
	if i.multiLen >= 0 {
		b.WriteByte('x')
	}
	if i.blocked {
		b.WriteByte('b')
	}
	b.WriteString(tracking)
	if i.readOnly {
		b.WriteByte('r')
	}
	if i.noEvict {
		b.WriteByte('e')
	}
	if b.Len() == 0 {
		return "N"
	}
	return b.String()
}

// showSelf brings the caller's own line up to date, since its round is not over.
func (c *Call) showSelf(now int64) {
	c.Client.mu.Lock()
	defer c.Client.mu.Unlock()
	i := &c.Client.info
	i.lastActive, i.lastCommand, i.proto = now, c.Cmd, c.Out.Proto()
	i.multiLen, i.watching, i.multiBytes = -1, len(c.Client.multi.watched), c.Client.multi.memory()
	if c.Client.multi.on {
		i.multiLen = len(c.Client.multi.queue)
	}
}

func clientInfoCommand(c *Call) error {
	now := c.Env.Process.Micros() / 1000
	c.showSelf(now)
	var b strings.Builder
	c.Client.line(&b, now, c.Env)
	c.Out.Verbatim("txt", b.String())
	return nil
}

// kind is the type that a client is of.
func (c *Client) kind() string {
	switch {
	case c.follows.Load():
		return "replica"
	case c.listens.Load() != 0:
		return "pubsub"
	}
	return "normal"
}

func clientList(c *Call) error {
	now := c.Env.Process.Micros() / 1000
	f := clientFilter{call: c, now: now}
	if err := f.parse(c.Args[2:], errClientID); err != nil {
		return err
	}
	c.showSelf(now)
	var b strings.Builder
	for _, client := range f.candidates() {
		if f.matches(client) {
			client.line(&b, now, c.Env)
		}
	}
	c.Out.Verbatim("txt", b.String())
	return nil
}

func clientKill(c *Call) error {
	f := clientFilter{call: c, now: c.Env.Process.Micros() / 1000, skipMe: true}
	old := len(c.Args) == 3 // CLIENT KILL addr:port
	if old {
		addr := string(c.Args[2])
		f.skipMe, f.keep = false, map[string]func(*Client) bool{"addr": func(cl *Client) bool { return cl.Addr == addr }}
	} else if err := f.parse(c.Args[2:], nil); err != nil {
		return err
	}
	killed := int64(0)
	for _, client := range f.candidates() {
		if f.matches(client) {
			killed++
			c.kill(client)
		}
	}
	switch {
	case !old:
		c.Out.Int(killed)
	case killed == 0:
		return Error("ERR No such client")
	default:
		c.Out.OK()
	}
	return nil
}
