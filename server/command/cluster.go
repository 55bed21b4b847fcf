package command

import (
	"cobble/cluster"
	"cobble/storage"
)

// Cluster is this node's part in a cluster, as the CLUSTER commands use it. Its
// functions may be called from any goroutine.
type Cluster struct {
	View      func() *cluster.View // as last published
	FreshView func() *cluster.View // with the ping and pong times of now
	// Do changes something and waits until it is durable, or stop is closed.
	Do       func(stop <-chan struct{}, admin cluster.Admin) cluster.Result
	Links    func() []ClusterLink
	Messages func() []ClusterMessages // counts of the bus, for CLUSTER INFO
	// Cast sends a published message to the other nodes, or only to those of this shard; AppendCast made it.
	Cast func(shard bool, message []byte)
	Cut  func(nodes []cluster.ID) // breaks the network to these nodes, for DEBUG PARTITION
}

// ClusterLink is one entry of CLUSTER LINKS.
type ClusterLink struct {
	ToPeer    bool // this node speaks on it; else the peer does
	ID        cluster.ID
	Created   int64 // Unix milliseconds
	Allocated int   // bytes
}

// ClusterMessages counts the bus messages of one sort.
type ClusterMessages struct {
	Name           string // "ping", "meet", …
	Sent, Received int64
}

const errNoCluster Error = "ERR This instance has cluster support disabled"

func clusterCommands() []Command {
	const change = Admin | Stale | NoAsyncLoading
	sub := func(name string, arity int, flags Flags, since, summary, complexity string, serve func(*Call) error) Command {
		return Command{Name: name, Arity: arity, Flags: flags, Group: "cluster", Since: since, Summary: summary,
			Complexity: complexity, Serve: inCluster(serve)}
	}
	const perNode, perArgument = "O(N) where N is the total number of Cluster nodes", "O(N) where N is the total number of hash slot arguments"
	const perSlot = "O(N) where N is the total number of the slots between the start slot and end slot arguments."
	subs := []Command{
		sub("addslots", -3, change, "3.0.0", "Assigns new hash slots to a node.", perArgument, clusterAddSlots),
		sub("addslotsrange", -4, change, "7.0.0", "Assigns new hash slot ranges to a node.", perSlot, clusterAddSlots),
		sub("bumpepoch", 2, change, "3.0.0", "Advances the cluster config epoch.", "O(1)", clusterBumpEpoch),
		sub("count-failure-reports", 3, Admin|Stale, "3.0.0", "Returns the number of active failure reports active for a node.", "O(N) where N is the number of failure reports", clusterCountFailureReports),
		sub("countkeysinslot", 3, Stale, "3.0.0", "Returns the number of keys in a hash slot.", "O(1)", clusterCountKeysInSlot),
		sub("delslots", -3, change, "3.0.0", "Sets hash slots as unbound for a node.", perArgument, clusterDelSlots),
		sub("delslotsrange", -4, change, "7.0.0", "Sets hash slot ranges as unbound for a node.", perSlot, clusterDelSlots),
		sub("failover", -2, change, "3.0.0", "Forces a replica to perform a manual failover of its master.", "O(1)", clusterFailover),
		sub("flushslots", 2, change, "3.0.0", "Deletes all slots information from a node.", "O(1)", clusterFlushSlots),
		sub("forget", 3, change, "3.0.0", "Removes a node from the nodes table.", "O(1)", clusterForget),
		sub("getkeysinslot", 4, Stale, "3.0.0", "Returns the key names in a hash slot.", "O(N) where N is the number of requested keys", clusterGetKeysInSlot),
		sub("help", 2, Loading|Stale, "5.0.0", "Returns helpful text about the different subcommands.", "O(1)", helpOf("CLUSTER", clusterHelp)),
		sub("info", 2, Stale, "3.0.0", "Returns information about the state of a node.", "O(1)", clusterInfo),
		sub("keyslot", 3, Stale, "3.0.0", "Returns the hash slot for a key.", "O(N) where N is the number of bytes in the key", clusterKeySlot),
		sub("links", 2, Stale, "7.0.0", "Returns a list of all TCP links to and from peer nodes.", perNode, clusterLinks),
		sub("meet", -4, change, "3.0.0", "Forces a node to handshake with another node.", "O(1)", clusterMeet),
		sub("myid", 2, Stale, "3.0.0", "Returns the ID of a node.", "O(1)", clusterMyID),
		sub("myshardid", 2, Stale, "7.2.0", "Returns the shard ID of a node.", "O(1)", clusterMyShardID),
		sub("nodes", 2, Stale, "3.0.0", "Returns the cluster configuration for a node.", perNode, clusterNodes),
		sub("replicas", 3, Admin|Stale, "5.0.0", "Lists the replica nodes of a master node.", "O(N) where N is the number of replicas.", clusterReplicas),
		sub("replicate", 3, change, "3.0.0", "Configure a node as replica of a master node.", "O(1)", clusterReplicate),
		sub("reset", -2, Admin|Stale|NoScript, "3.0.0", "Resets a node.", "O(N) where N is the number of known nodes. The command may execute a FLUSHALL as a side effect.", clusterReset),
		sub("saveconfig", 2, change, "3.0.0", "Forces a node to save the cluster configuration to disk.", "O(1)", clusterSaveConfig),
		sub("set-config-epoch", 3, change, "3.0.0", "Sets the configuration epoch for a new node.", "O(1)", clusterSetConfigEpoch),
		sub("setslot", -4, change, "3.0.0", "Binds a hash slot to a node.", "O(1)", clusterSetSlot),
		sub("shards", 2, Loading|Stale, "7.0.0", "Returns the mapping of cluster slots to shards.", perNode, clusterShards),
		sub("slaves", 3, Admin|Stale, "3.0.0", "Lists the replica nodes of a master node.", "O(N) where N is the number of replicas.", clusterReplicas),
		sub("slots", 2, Loading|Stale, "3.0.0", "Returns the mapping of cluster slots to nodes.", perNode, clusterSlots),
		sub("slot-stats", -4, Loading|Stale, "8.0.0", "Tells what the slots of this node cost.",
			"O(N) where N is the number of slots of the node. O(N*log(N)) with ORDERBY.", clusterSlotStats),
	}
	for i := range subs {
		switch subs[i].Name {
		case "myshardid", "bumpepoch", "count-failure-reports", "getkeysinslot", "info", "links", "nodes", "replicas", "shards", "slaves", "slots":
			subs[i].Tips = []string{"nondeterministic_output"}
		case "slot-stats":
			subs[i].Tips = []string{"nondeterministic_output", "request_policy:all_shards"}
		}
	}
	row := func(name string, flags Flags, summary string, serve func(*Call) error) Command {
		return Command{Name: name, Arity: 1, Flags: flags, Categories: "@connection", Group: "cluster", Since: "3.0.0",
			Summary: summary, Complexity: "O(1)", Serve: inCluster(serve)}
	}
	return []Command{
		{Name: "cluster", Arity: -2, Group: "cluster", Since: "3.0.0", Summary: "A container for Redis Cluster commands.",
			Complexity: "Depends on subcommand.", Serve: needsSubcommand, Sub: subs},
		row("asking", Fast, "Signals that a cluster client is following an -ASK redirect.", asking),
		row("readonly", Loading|Stale|Fast, "Enables read-only queries for a connection to a Redis Cluster replica node.", readOnly),
		row("readwrite", Loading|Stale|Fast, "Enables read-write queries for a connection to a Redis Cluster replica node.", readWrite),
	}
}

// inCluster refuses a command on a server that is not a node of a cluster.
func inCluster(serve func(*Call) error) func(*Call) error {
	return func(c *Call) error {
		if c.Env.Cluster == nil {
			return errNoCluster
		}
		return serve(c)
	}
}

func asking(c *Call) error {
	c.Client.Asking = true
	c.Out.OK()
	return nil
}

func readOnly(c *Call) error {
	c.Client.ReadOnly = true
	c.Out.OK()
	return nil
}

func readWrite(c *Call) error {
	c.Client.ReadOnly = false
	c.Out.OK()
	return nil
}

// change has the machine do something and replies with its result. The session
// waits for the disk; inside EXEC, where nobody waits, it does so at once.
func (c *Call) change(admin cluster.Admin, given ...string) error {
	reply := func(stop <-chan struct{}) error {
		r := c.Env.Cluster.Do(stop, admin)
		if r.Err != "" {
			return Error(named(r.Err, given))
		}
		c.Out.Status(r.Text)
		return nil
	}
	if c.inExec {
		return reply(nil)
	}
	c.Later = func(stop <-chan struct{}) {
		if err := reply(stop); err != nil {
			c.Out.Error(ErrorText(err))
		}
	}
	return nil
}

// nodeID reads a node's id. What is no id at all names no node either: it is
// the zero ID, and the texts of errors get the client's words back by named.
func nodeID(arg []byte) cluster.ID {
	id, err := cluster.ParseID(string(arg))
	if err != nil {
		return cluster.ID{}
	}
	return id
}

// knownNode finds a node of the table.
func (c *Call) knownNode(arg []byte) (*cluster.Node, error) {
	if n := c.Env.Cluster.View().Node(nodeID(arg)); n != nil && !n.Handshake {
		return n, nil
	}
	return nil, errorf("ERR Unknown node %s", arg)
}

func clusterKeySlot(c *Call) error {
	c.Out.Int(int64(slotOf(c.Args[2])))
	return nil
}

func clusterMyID(c *Call) error {
	c.Out.BulkString(c.Env.Cluster.View().Myself().ID.String())
	return nil
}

func clusterMyShardID(c *Call) error {
	c.Out.BulkString(c.Env.Cluster.View().Myself().Shard.String())
	return nil
}

func clusterCountFailureReports(c *Call) error {
	n, err := c.knownNode(c.Args[2])
	if err != nil {
		return err
	}
	c.Out.Int(int64(n.FailReports))
	return nil
}

// parseInteger reads a number as most CLUSTER subcommands do.
func parseInteger(arg []byte) (int64, error) {
	n, ok := storage.ParseInt(arg)
	if !ok {
		return 0, ErrNotInteger
	}
	return n, nil
}
