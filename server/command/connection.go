package command

import (
	"strings"

	"cobble/storage"
)

func connectionCommands() []Command {
	const open = NoScript | Loading | Stale | Fast | NoAuth | AllowBusy
	return []Command{
		{Name: "hello", Arity: -1, Flags: open, Categories: "@connection", Group: "connection", Since: "6.0.0",
			Summary: "Handshakes with the server.", Complexity: "O(1)", Serve: hello},
		{Name: "auth", Arity: -2, Flags: open, Categories: "@connection", Group: "connection", Since: "1.0.0",
			Summary: "Authenticates the connection.", Complexity: "O(N) where N is the number of passwords defined for the user", Serve: auth},
		{Name: "ping", Arity: -1, Flags: Fast, Categories: "@connection", Group: "connection", Since: "1.0.0",
			Tips:    []string{"request_policy:all_shards", "response_policy:all_succeeded"},
			Summary: "Returns the server's liveliness response.", Complexity: "O(1)", Serve: ping},
		{Name: "echo", Arity: 2, Flags: Loading | Stale | Fast, Categories: "@connection", Group: "connection", Since: "1.0.0",
			Summary: "Returns the given string.", Complexity: "O(1)", Serve: echo},
		{Name: "quit", Arity: -1, Flags: open | runsInMulti, Categories: "@connection", Group: "connection", Since: "1.0.0",
			Summary: "Closes the connection.", Complexity: "O(1)", Serve: quit},
		{Name: "reset", Arity: 1, Flags: open | runsInMulti, Categories: "@connection", Group: "connection", Since: "6.2.0",
			Summary: "Resets the connection.", Complexity: "O(1)", Serve: reset},
		{Name: "select", Arity: 2, Flags: Loading | Stale | Fast, Categories: "@connection", Group: "connection", Since: "1.0.0",
			Summary: "Changes the selected database.", Complexity: "O(1)", Serve: selectDB},
	}
}

func ping(c *Call) error {
	if c.Client.listens.Load() != 0 && c.Out.Proto() == 2 && len(c.Args) <= 2 { // as a message, for it comes among messages
		c.Out.Array(2)
		c.Out.BulkString("pong")
		if len(c.Args) == 2 {
			c.Out.Bulk(c.Args[1])
		} else {
			c.Out.BulkString("")
		}
		return nil
	}
	switch len(c.Args) {
	case 1:
		c.Out.Status("PONG")
	case 2:
		c.Out.Bulk(c.Args[1])
	default:
		return Error("ERR wrong number of arguments for 'ping' command")
	}
	return nil
}

func echo(c *Call) error {
	c.Out.Bulk(c.Args[1])
	return nil
}

func quit(c *Call) error {
	c.Out.OK()
	c.Client.Closing = true
	return nil
}

func reset(c *Call) error {
	client := c.Client
	c.discard()
	client.ReadOnly, client.Asking, client.noTouch, client.reply = false, false, false, replyOn
	client.beDefault(c.Env)
	client.mu.Lock()
	client.info.name, client.info.noEvict = "", false
	client.mu.Unlock()
	c.Out.SetProto(2)
	client.resp3.Store(false)
	c.Env.Broker.leave(client)
	c.Env.Tracking.leave(client)
	client.monitors.Store(false)
	c.Out.Status("RESET")
	return nil
}

const errInt32 Error = "ERR value is out of range, value must between -2147483648 and 2147483647"

// parseInt32 reads what Redis reads as an int.
func parseInt32(arg []byte) (int64, error) {
	n, ok := storage.ParseInt(arg)
	switch {
	case !ok:
		return 0, ErrNotInteger
	case n != int64(int32(n)):
		return 0, errInt32
	}
	return n, nil
}

func selectDB(c *Call) error {
	n, err := parseInt32(c.Args[1])
	switch {
	case err != nil:
		return err
	case c.Env.Config.Bool("cluster-enabled") && n != 0:
		return Error("ERR SELECT is not allowed in cluster mode")
	case n < 0 || n >= c.Env.Config.Int("databases"):
		return Error("ERR DB index is out of range")
	case n != 0:
		return Error("ERR this server keeps one database: DB index is out of range")
	}
	c.Out.OK()
	return nil
}

const errWrongPass Error = "WRONGPASS invalid username-password pair or user is disabled."

func auth(c *Call) error {
	user, password := "default", c.Args[1]
	switch len(c.Args) {
	case 2:
		if c.Env.ACL.DefaultNeedsNoPassword() {
			return Error("ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?")
		}
	case 3:
		user, password = string(c.Args[1]), c.Args[2]
	default:
		return ErrSyntax
	}
	if err := c.authenticate(user, password); err != nil {
		return err
	}
	c.Out.OK()
	return nil
}

// hello is HELLO [protover [AUTH user password] [SETNAME name]].
func hello(c *Call) error {
	proto := int64(c.Out.Proto())
	if len(c.Args) > 1 {
		var ok bool
		if proto, ok = storage.ParseInt(c.Args[1]); !ok {
			return Error("ERR Protocol version is not an integer or out of range")
		}
		if proto != 2 && proto != 3 {
			return Error("NOPROTO unsupported protocol version")
		}
	}
	var name []byte
	var user string
	var password []byte
	withAuth := false
	for i := 2; i < len(c.Args); i++ {
		left := len(c.Args) - i - 1
		switch {
		case equalFold(c.Args[i], "auth") && left >= 2:
			withAuth, user, password = true, string(c.Args[i+1]), c.Args[i+2]
			i += 2
		case equalFold(c.Args[i], "setname") && left >= 1:
			if name = c.Args[i+1]; !printable(name) {
				return errClientName
			}
			i++
		default:
			return errorf("ERR Syntax error in HELLO option '%s'", c.Args[i])
		}
	}
	if withAuth {
		if err := c.authenticate(user, password); err != nil {
			return err
		}
	}
	if c.Client.Strict(c.Env) {
		return Error("NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO <proto> AUTH <user> <pass> option can be used to authenticate the client and select the RESP protocol version at the same time")
	}
	if name != nil {
		c.Client.setName(string(name))
	}
	c.Out.SetProto(int(proto))
	c.Client.resp3.Store(proto == 3)
	c.writeHello(proto)
	return nil
}

func (c *Call) writeHello(proto int64) {
	mode := "standalone"
	if c.Env.Config.Bool("cluster-enabled") {
		mode = "cluster"
	}
	zone := c.Env.Config.Text("availability-zone")
	fields := 7
	if zone != "" {
		fields++
	}
	c.Out.Map(fields)
	c.Out.BulkString("server")
	c.Out.BulkString("redis")
	c.Out.BulkString("version")
	c.Out.BulkString(RedisVersion)
	c.Out.BulkString("proto")
	c.Out.Int(proto)
	c.Out.BulkString("id")
	c.Out.Int(int64(c.Client.ID))
	c.Out.BulkString("mode")
	c.Out.BulkString(mode)
	c.Out.BulkString("role")
	c.Out.BulkString(strings.Replace(c.Env.Role().Role, "slave", "replica", 1))
	c.Out.BulkString("modules")
	c.Out.Array(0)
	if zone != "" {
		c.Out.BulkString("availability_zone")
		c.Out.BulkString(zone)
	}
}
