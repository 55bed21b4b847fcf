package command

import (
	"fmt"
	"strconv"
	"strings"

	"cobble/storage"
)

// RedisVersion is the version of Redis whose behaviour clients should expect.
const RedisVersion = "7.2.4"

// Replication is what INFO, ROLE and HELLO tell of a node's place in its shard.
type Replication struct {
	Role      string // "master" or "slave"
	Offset    uint64
	ReplID    string
	ReplID2   string
	Offset2   int64 // up to which ReplID2 holds, -1 without one
	Replicas  []Replica
	MinSlaves int // replicas in touch, for min-replicas-to-write

	// Of a replica:
	PrimaryHost  string
	PrimaryPort  int
	LinkUp       bool
	LinkState    string // ROLE's word: connect, connecting, sync, connected
	LastIO       int64  // seconds since the primary was heard
	SyncRunning  bool
	LinkDownSecs int64
}

// Replica is one replica as its primary sees it.
type Replica struct {
	IP     string
	Port   int
	State  string // online, send_bulk, wait_bgsave
	Offset uint64
	Lag    int64 // seconds
}

// Role is what this node replicates, to whom and from whom, Redis replicas included. It is safe from any goroutine.
func (e *Env) Role() Replication {
	if e.Replication != nil {
		return e.withFollowers(e.Replication())
	}
	return e.withFollowers(Replication{Role: "master", ReplID: e.Process.RunID, ReplID2: strings.Repeat("0", 40), Offset2: -1})
}

// ShutdownRequest is SHUTDOWN's words.
type ShutdownRequest struct{ Save, NoSave, Now, Force bool }

func adminCommands() []Command {
	row := func(name string, arity int, flags Flags, categories, since, summary string, serve func(*Call) error, tips ...string) Command {
		return Command{Name: name, Arity: arity, Flags: flags, Categories: categories, Group: "server", Since: since, Summary: summary, Complexity: "O(1)", Tips: tips, Serve: serve}
	}
	const varies = "nondeterministic_output"
	waitRow := row("wait", 3, NoScript, "@connection", "3.0.0", "Blocks until the asynchronous replication of all preceding write commands sent by the connection is completed.", wait)
	waitRow.Group, waitRow.Tips = "generic", []string{"request_policy:all_shards", "response_policy:agg_min"}
	waitLog := row("waitaof", 4, NoScript, "@connection", "7.2.0", "Blocks until all preceding writes of the connection are synced to the log, here and by replicas.", waitaof)
	waitLog.Group, waitLog.Tips = "generic", waitRow.Tips
	art := row("lolwut", -1, ReadOnly|Fast, "", "5.0.0", "Displays computer art and the version.", lolwut)
	art.Complexity = "" // nor does Redis name one
	info := row("info", -1, Loading|Stale, "@dangerous", "1.0.0", "Returns information and statistics about the server.", infoCommand)
	info.Tips = []string{varies, "request_policy:all_shards", "response_policy:special"}
	return []Command{
		info, waitRow, waitLog,
		row("time", 1, Loading|Stale|Fast, "", "2.6.0", "Returns the server time.", timeCommand, varies),
		row("shutdown", -1, Admin|NoScript|Loading|Stale|NoMulti|AllowBusy, "", "1.0.0", "Synchronously saves the database(s) to disk and shuts down the Redis server.", shutdown),
		row("role", 1, NoScript|Loading|Stale|Fast, "@admin @dangerous", "2.8.12", "Returns the replication role.", role),
		row("replicaof", 3, Admin|NoScript|Stale|NoAsyncLoading, "", "5.0.0", "Configures a server as replica of another, or promotes it to a master.", replicaOf),
		row("slaveof", 3, Admin|NoScript|Stale|NoAsyncLoading, "", "1.0.0", "Sets a Redis server as a replica of another, or promotes it to being a master.", replicaOf),
		row("failover", -1, Admin|NoScript|Stale, "", "6.2.0", "Starts a coordinated failover from a server to one of its replicas.", failover),
		art,
		row("swapdb", 3, Write|Fast, "@keyspace @dangerous", "4.0.0", "Swaps two Redis databases.", swapDB),
		row("save", 1, Admin|NoScript|NoMulti|NoAsyncLoading, "", "1.0.0", "Synchronously saves the database(s) to disk.", save),
		row("bgsave", -1, Admin|NoScript|NoAsyncLoading, "", "1.0.0", "Asynchronously saves the database(s) to disk.", bgsave),
		row("bgrewriteaof", 1, Admin|NoScript|NoAsyncLoading, "", "1.0.0", "Asynchronously rewrites the append-only file to disk.", bgrewriteaof),
		row("lastsave", 1, Loading|Stale|Fast, "@admin @dangerous", "1.0.0", "Returns the Unix timestamp of the last successful save to disk.", lastsave, varies),
	}
}

func timeCommand(c *Call) error {
	now := c.Env.Process.Micros()
	c.Out.Array(2)
	c.Out.BulkInt(now / 1_000_000)
	c.Out.BulkInt(now % 1_000_000)
	return nil
}

func shutdown(c *Call) error {
	var s ShutdownRequest
	abort := false
	for _, arg := range c.Args[1:] {
		switch {
		case equalFold(arg, "nosave") && !s.Save:
			s.NoSave = true
		case equalFold(arg, "save") && !s.NoSave:
			s.Save = true
		case equalFold(arg, "now"):
			s.Now = true
		case equalFold(arg, "force"):
			s.Force = true
		case equalFold(arg, "abort"):
			abort = true
		default:
			return ErrSyntax
		}
	}
	if abort {
		if len(c.Args) != 2 {
			return ErrSyntax
		}
		if !c.Env.Process.Abort() {
			return Error("ERR No shutdown in progress.")
		}
		c.Out.OK()
		return nil
	}
	c.Later = func(gone <-chan struct{}) {
		if err := c.Env.Process.Shutdown(s, gone); err != nil {
			c.Out.Error("ERR Errors trying to SHUTDOWN. Check logs.")
		}
	}
	return nil
}

func role(c *Call) error {
	r := c.Env.Role()
	if r.Role == "slave" {
		c.Out.Array(5)
		c.Out.BulkString("slave")
		c.Out.BulkString(r.PrimaryHost)
		c.Out.Int(int64(r.PrimaryPort))
		c.Out.BulkString(r.LinkState)
		c.Out.Int(int64(r.Offset))
		return nil
	}
	c.Out.Array(3)
	c.Out.BulkString("master")
	c.Out.Int(int64(r.Offset))
	c.Out.Array(len(r.Replicas))
	for _, replica := range r.Replicas {
		c.Out.Array(3)
		c.Out.BulkString(replica.IP)
		c.Out.BulkInt(int64(replica.Port))
		c.Out.BulkInt(int64(replica.Offset))
	}
	return nil
}

func (c *Call) clusterMode() bool { return c.Env.Config.Bool("cluster-enabled") }

func replicaOf(c *Call) error {
	if c.clusterMode() {
		return Error("ERR REPLICAOF not allowed in cluster mode.")
	}
	if equalFold(c.Args[1], "no") && equalFold(c.Args[2], "one") {
		c.Out.OK()
		return nil
	}
	if port, err := strconv.ParseInt(string(c.Args[2]), 10, 64); err != nil || port < 0 || port > 65535 {
		return Error("ERR Invalid master port")
	}
	return Error("ERR REPLICAOF is not supported outside a cluster: start with cluster-enabled yes and use CLUSTER REPLICATE")
}

func failover(c *Call) error {
	if c.clusterMode() {
		return Error("ERR FAILOVER not allowed in cluster mode. Use CLUSTER FAILOVER command instead.")
	}
	return Error("ERR FAILOVER requires connected replicas.")
}

func swapDB(c *Call) error {
	if c.clusterMode() {
		return Error("ERR SWAPDB is not allowed in cluster mode")
	}
	for i, word := range []string{"first", "second"} {
		n, err := strconv.ParseInt(string(c.Args[i+1]), 10, 32)
		if err != nil {
			return Error("ERR invalid " + word + " DB index")
		}
		if n != 0 {
			return Error("ERR DB index is out of range")
		}
	}
	c.Out.OK()
	return nil
}

func lolwut(c *Call) error {
	if len(c.Args) > 2 && fold(c.Args[1], "VERSION") {
		if _, ok := storage.ParseInt(c.Args[2]); !ok {
			return ErrNotInteger
		}
	}
	c.Out.Verbatim("txt", fmt.Sprintf("Cobble ver. %s\nRedis ver. %s\n", c.Env.Process.Version, RedisVersion))
	return nil
}

// SAVE brings everything into the store; the log is synced before that.
func save(c *Call) error {
	if err := c.Env.Engine.Flush(); err != nil {
		return err
	}
	c.Env.Stats.LastSave.Store(c.Env.Process.Micros() / 1_000_000)
	c.Out.OK()
	return nil
}

func bgsave(c *Call) error {
	if len(c.Args) > 2 || len(c.Args) == 2 && !equalFold(c.Args[1], "schedule") {
		return ErrSyntax
	}
	c.Env.Stats.LastSave.Store(c.Env.Process.Micros() / 1_000_000)
	c.Out.Status("Background saving started")
	return nil
}

func bgrewriteaof(c *Call) error {
	c.Out.Status("Background append only file rewriting started")
	return nil
}

func lastsave(c *Call) error {
	c.Out.Int(max(c.Env.Stats.LastSave.Load(), c.Env.Process.StartedAt/1000))
	return nil
}
