package command

import (
	"math"
	"strings"

	"cobble/storage"
)

func expireCommands() []Command {
	row := func(name, since, summary string, run func(*Call, *storage.Tx) error) Command {
		c := Command{Name: name, Arity: 2, Flags: ReadOnly | Fast, Categories: "@keyspace", Keys: readsKey, Group: "generic", Since: since, Summary: summary, Complexity: "O(1)", Run: run}
		switch {
		case strings.HasSuffix(name, "ttl"):
			c.Tips = []string{"nondeterministic_output"}
		case !strings.HasSuffix(name, "time"):
			c.Flags, c.Keys = Write|Fast, updatesKey
			if name != "persist" {
				c.Arity = -3
			}
		}
		return c
	}
	return []Command{
		row("expire", "1.0.0", "Makes a key expire after some seconds.", expire),
		row("pexpire", "2.6.0", "Makes a key expire after some milliseconds.", expire),
		row("expireat", "1.2.0", "Makes a key expire at a Unix time in seconds.", expire),
		row("pexpireat", "2.6.0", "Makes a key expire at a Unix time in milliseconds.", expire),
		row("persist", "2.2.0", "Takes the expiry from a key.", persist),
		row("ttl", "1.0.0", "Returns the seconds that a key has left.", ttl),
		row("pttl", "2.6.0", "Returns the milliseconds that a key has left.", ttl),
		row("expiretime", "7.0.0", "Returns the Unix time in seconds at which a key expires.", ttl),
		row("pexpiretime", "7.0.0", "Returns the Unix time in milliseconds at which a key expires.", ttl),
	}
}

const (
	errExpireNX   Error = "ERR NX and XX, GT or LT options at the same time are not compatible"
	errExpireGTLT Error = "ERR GT and LT options at the same time are not compatible"
)

func parseExpireIf(args [][]byte) (cond storage.ExpireIf, err error) {
	for _, arg := range args {
		switch {
		case fold(arg, "NX"):
			cond |= storage.ExpireNX
		case fold(arg, "XX"):
			cond |= storage.ExpireXX
		case fold(arg, "GT"):
			cond |= storage.ExpireGT
		case fold(arg, "LT"):
			cond |= storage.ExpireLT
		default:
			return 0, errorf("ERR Unsupported option %s", arg)
		}
	}
	if cond&storage.ExpireNX != 0 && cond != storage.ExpireNX {
		return 0, errExpireNX
	}
	if cond&storage.ExpireGT != 0 && cond&storage.ExpireLT != 0 {
		return 0, errExpireGTLT
	}
	return cond, nil
}

// expire is EXPIRE, PEXPIRE, EXPIREAT and PEXPIREAT.
func expire(c *Call, tx *storage.Tx) error {
	cond, err := parseExpireIf(c.Args[3:])
	if err != nil {
		return err
	}
	at, ok := storage.ParseInt(c.Args[2])
	if !ok {
		return ErrNotInteger
	}
	if c.Cmd.Name[0] == 'e' { // seconds
		if at > math.MaxInt64/1000 || at < math.MinInt64/1000 {
			return c.errExpireTime()
		}
		at *= 1000
	}
	if !strings.HasSuffix(c.Cmd.Name, "at") {
		if at > math.MaxInt64-c.Now {
			return c.errExpireTime()
		}
		at += c.Now
	}
	done, err := tx.Expire(c.Args[1], at, cond)
	c.intBool(done)
	return err
}

func persist(c *Call, tx *storage.Tx) error {
	done, err := tx.Persist(c.Args[1])
	c.intBool(done)
	return err
}

// ttl is TTL, PTTL, EXPIRETIME and PEXPIRETIME.
func ttl(c *Call, tx *storage.Tx) error {
	defer tx.Touch(tx.Touch(false))
	entry, err := tx.Lookup(c.Args[1])
	if err != nil {
		return err
	}
	n := entry.Meta.ExpireAt
	switch {
	case !entry.Live:
		c.Out.Int(-2)
		return nil
	case n == 0:
		c.Out.Int(-1)
		return nil
	}
	if strings.HasSuffix(c.Cmd.Name, "ttl") {
		n -= c.Now
	}
	if c.Cmd.Name[0] != 'p' { // to the nearest second
		n = n/1000 + (n%1000+500)/1000
	}
	c.Out.Int(n)
	return nil
}
