package command

import (
	"fmt"
	"strconv"
	"strings"

	"cobble/server/acl"

	"cobble/storage"
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
	i := &c.info
	command := "NULL"
	if i.lastCommand != nil {
		command = i.lastCommand.FullName()
	}
	fmt.Fprintf(b, "id=%d addr=%s laddr=%s fd=%d name=%s age=%d idle=%d flags=%s db=0 sub=%d psub=%d ssub=%d multi=%d watch=%d "+
		"qbuf=%d qbuf-free=%d argv-mem=%d multi-mem=0 rbs=%d rbp=%d obl=%d oll=0 omem=%d tot-mem=%d events=r cmd=%s user=%s redir=%d resp=%d lib-name=%s lib-ver=%s\n",
		c.ID, c.Addr, c.LocalAddr, c.FD, i.name, (now-c.Created)/1000, max(now-i.lastActive, 0)/1000, c.flags(letters), subs[topicChannel], subs[topicPattern], subs[topicShard], i.multiLen, i.watching,
		i.queryBytes, i.queryFree, i.argBytes, i.outBytes, i.outBytes, i.outBytes, i.outBytes, i.queryBytes+i.queryFree+i.outBytes+i.argBytes,
		command, c.user.Load().Name(), redirect, i.proto, i.libName, i.libVersion)
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
	i.multiLen, i.watching = -1, len(c.Client.multi.watched)
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

// clientType reads a TYPE argument: what kind returns for clients of the type. Nodes of a cluster are not clients here.
func clientType(arg []byte) (string, error) {
	switch word := strings.ToLower(string(arg)); word {
	case "normal", "pubsub", "replica", "master":
		return word, nil
	case "slave":
		return "replica", nil
	}
	return "", Error(fmt.Sprintf("ERR Unknown client type '%s'", arg))
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
	keep := func(*Client) bool { return true }
	switch {
	case len(c.Args) == 2:
	case len(c.Args) == 4 && equalFold(c.Args[2], "type"):
		kind, err := clientType(c.Args[3])
		if err != nil {
			return err
		}
		keep = func(cl *Client) bool { return cl.kind() == kind }
	case len(c.Args) > 3 && equalFold(c.Args[2], "id"):
		ids := map[uint64]bool{}
		for _, arg := range c.Args[3:] {
			id, ok := storage.ParseInt(arg)
			if !ok {
				return Error("ERR Invalid client ID")
			}
			ids[uint64(id)] = true
		}
		keep = func(cl *Client) bool { return ids[cl.ID] }
	default:
		return ErrSyntax
	}
	now := c.Env.Process.Micros() / 1000
	c.showSelf(now)
	var b strings.Builder
	for _, client := range c.Env.Clients.List() {
		if keep(client) {
			client.line(&b, now, c.Env)
		}
	}
	c.Out.Verbatim("txt", b.String())
	return nil
}

// clientFilter is what CLIENT KILL selects by.
type clientFilter struct {
	id          uint64
	addr, laddr string
	kind        string    // "": any
	user        *acl.User // nil: any
	maxAge      int64     // seconds
	skipMe      bool
}

func (f *clientFilter) matches(cl, me *Client, now int64) bool {
	return (f.id == 0 || cl.ID == f.id) && (f.addr == "" || cl.Addr == f.addr) && (f.laddr == "" || cl.LocalAddr == f.laddr) && (f.user == nil || cl.user.Load() == f.user) &&
		(f.kind == "" || cl.kind() == f.kind) && (f.maxAge == 0 || (now-cl.Created)/1000 >= f.maxAge) && !(f.skipMe && cl == me)
}

func (f *clientFilter) parse(args [][]byte, users *acl.Users) error {
	for ; len(args) > 0; args = args[2:] {
		if len(args) == 1 {
			return ErrSyntax
		}
		value := string(args[1])
		switch strings.ToLower(string(args[0])) {
		case "id":
			id, ok := storage.ParseInt([]byte(value))
			if !ok || id < 1 {
				return Error("ERR client-id should be greater than 0")
			}
			f.id = uint64(id)
		case "type":
			var err error
			if f.kind, err = clientType(args[1]); err != nil {
				return err
			}
		case "addr":
			f.addr = value
		case "laddr":
			f.laddr = value
		case "user":
			if f.user = users.Find(value); f.user == nil {
				return Error("ERR No such user '" + value + "'")
			}
		case "maxage":
			n, err := strconv.ParseInt(value, 10, 64)
			if err != nil || n < 1 {
				return Error("ERR maxage is not an integer or out of range")
			}
			f.maxAge = n
		case "skipme":
			switch strings.ToLower(value) {
			case "yes":
				f.skipMe = true
			case "no":
				f.skipMe = false
			default:
				return ErrSyntax
			}
		default:
			return ErrSyntax
		}
	}
	return nil
}

func clientKill(c *Call) error {
	f := clientFilter{skipMe: true}
	old := len(c.Args) == 3 // CLIENT KILL addr:port
	if old {
		if len(c.Args[2]) == 0 { // which as a filter would mean anyone
			return Error("ERR No such client")
		}
		f.addr, f.skipMe = string(c.Args[2]), false
	} else if err := f.parse(c.Args[2:], c.Env.ACL.users); err != nil {
		return err
	}
	now, killed := c.Env.Process.Micros()/1000, int64(0)
	for _, client := range c.Env.Clients.List() {
		if !f.matches(client, c.Client, now) {
			continue
		}
		killed++
		c.kill(client)
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
