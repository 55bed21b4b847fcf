package command

import (
	"net"

	"cobble/server/psync"
	"cobble/server/resp"
	"cobble/storage"
)

func psyncCommands() []Command {
	row := func(name string, arity int, flags Flags, since, summary, complexity string, serve func(*Call) error) Command {
		return Command{Name: name, Arity: arity, Flags: flags, Group: "server", Since: since, Summary: summary, Complexity: complexity, Serve: serve}
	}
	return []Command{
		row("psync", -3, Admin|NoScript|NoMulti|NoAsyncLoading, "2.8.0", "Makes the connection that of a Redis replica, which may go on where it was.", "", syncCommand),
		row("replconf", -1, Admin|NoScript|Loading|Stale|AllowBusy, "3.0.0", "What a replica says of itself, and how far it is.", "O(1)", replconf),
		row("sync", 1, Admin|NoScript|NoMulti|NoAsyncLoading, "1.0.0", "Makes the connection that of a Redis replica.", "", syncCommand),
	}
}

// replconf is REPLCONF of a connection that is not a replica's yet; what a replica says the source hears.
func replconf(c *Call) error {
	if len(c.Args)%2 == 0 {
		return ErrSyntax
	}
	peer := &c.Client.peer
	for i := 1; i < len(c.Args); i += 2 {
		value := c.Args[i+1]
		switch word := c.Args[i]; {
		case fold(word, "listening-port"):
			port, ok := storage.ParseInt(value)
			if !ok {
				return ErrNotInteger
			}
			peer.Port = int(port)
		case fold(word, "ip-address"):
			if len(value) > maxPeerName {
				return errorf("ERR REPLCONF ip-address provided by replica instance is too long: %d bytes", len(value))
			}
			peer.IP = string(value)
		case fold(word, "capa"):
			peer.EOF = peer.EOF || fold(value, "eof")
			peer.PSYNC2 = peer.PSYNC2 || fold(value, "psync2")
		case fold(word, "ack"), fold(word, "getack"):
			return nil // no reply, not even of an error
		case fold(word, "version"):
		case fold(word, "rdb-only"):
			only, ok := storage.ParseInt(value)
			if !ok {
				return ErrNotInteger
			}
			if only < 0 || only > 1 {
				return Error("ERR value is out of range, value must between 0 and 1")
			}
			peer.FileOnly = only == 1
		case fold(word, "rdb-filter-only"):
			if err := peer.Filter(string(value)); err != nil {
				return Error("ERR " + err.Error())
			}
		default:
			return errorf("ERR Unrecognized REPLCONF option: %s", word)
		}
	}
	c.Out.OK()
	return nil
}

// maxPeerName is the length of a host name that a replica may say it has.
const maxPeerName = 255

// syncCommand is SYNC and PSYNC: the connection leaves the session.
func syncCommand(c *Call) error {
	if c.inExec {
		return Error("ERR Command not allowed inside a transaction")
	}
	r := psync.Request{Peer: c.Client.peer, Addr: c.Client.Addr, ID: "?"}
	r.Partial = c.Cmd.Name == "psync"
	if r.Partial && len(c.Args) > 3 && fold(c.Args[3], "failover") {
		return Error("ERR PSYNC FAILOVER can't be sent to a master.")
	}
	role := c.Env.Role()
	switch {
	case c.Env.Followers == nil:
		return Error("ERR there is nothing to follow here")
	case role.Role == "slave" && !role.LinkUp:
		return Error("NOMASTERLINK Can't SYNC while not connected with my master")
	case c.Out.Len() > c.replyFrom || c.replyFrom > 0:
		return Error("ERR SYNC and PSYNC are invalid with pending output")
	case r.Filtered() && !r.EOF:
		return Error("ERR Filtered replica requires EOF capability")
	}
	if r.Partial {
		next, ok := storage.ParseInt(c.Args[2])
		if !ok {
			return ErrNotInteger
		}
		r.ID, r.Next = string(c.Args[1]), next
	}
	c.Client.follows.Store(true)
	c.HandOver = func(conn net.Conn, in *resp.Reader, stop <-chan struct{}) {
		r.Conn, r.In, r.Stop = conn, in, stop
		c.Env.Followers.Serve(r)
	}
	return nil
}

// StartFollowers has the node serve Redis replicas. It is called once, before there are clients.
func (e *Env) StartFollowers(o psync.Options) {
	o.Engine, o.Version, o.Shared, o.Codes = e.Engine, RedisVersion, sharedFunctions, libraryCodes
	e.Followers = psync.NewSource(o)
}

// syncs counts full copies, and requests to continue that were granted and refused.
func (e *Env) syncs() (full, partial, refused int64) {
	if e.Followers == nil {
		return 0, 0, 0
	}
	return e.Followers.Counts()
}

// withFollowers adds the Redis replicas of this node to what INFO and ROLE tell. They count for nothing else: neither
// WAIT nor min-replicas-to-write waits for them, and none of them is promoted.
func (e *Env) withFollowers(r Replication) Replication {
	if e.Followers == nil {
		return r
	}
	followers := e.Followers.Followers()
	if len(followers) > 0 && r.Offset == 0 {
		r.Offset = uint64(e.Engine.Log().End())
	}
	for _, f := range followers {
		r.Replicas = append(r.Replicas, Replica{IP: f.IP, Port: f.Port, State: f.State.String(), Offset: uint64(f.LSN), Lag: f.Lag})
	}
	return r
}
