package command

import (
	"sync"
	"sync/atomic"

	"cobble/server/acl"
	"cobble/server/psync"
	"cobble/server/resp"
)

// Client is the state of one session that commands read and change. Fields
// without a comment about locks are used by the goroutine that runs the
// session's commands.
type Client struct {
	ID        uint64
	Addr      string // where it comes from, "ip:port", or the unix socket's path and ":0"
	LocalAddr string
	FD        int
	Local     bool  // from this machine
	Created   int64 // Unix milliseconds
	ReadOnly  bool  // READONLY
	Asking    bool  // ASKING, for the next command only

	// Kill closes the connection; any goroutine may call it, more than once.
	Kill func()
	// Unsent is how many bytes of replies the socket has not taken yet. The driver sets it.
	Unsent atomic.Int64
	// Closing is set when the connection is to be closed after the replies are out.
	Closing bool

	user          atomic.Pointer[acl.User] // changed by the session, read by all
	authenticated bool
	multi         transaction
	reply         replyMode
	noTouch       bool

	// Notify has the driver of the session send what is in the mailbox; any goroutine calls it. nil: nobody would.
	Notify   func()
	box      mailbox
	holds    bool         // holdMail was called
	resp3    atomic.Bool  // the protocol of messages
	listens  atomic.Int32 // subscriptions
	monitors atomic.Bool

	peer    psync.Peer  // what REPLCONF said
	follows atomic.Bool // the connection is that of a Redis replica

	track       tracked      // CLIENT TRACKING
	prefixBytes atomic.Int64 // of what it tracks
	gone        atomic.Bool  // CLIENT KILL, or evicted

	unblock atomic.Pointer[func(reason string) bool] // set while a command waits: ends that, for "TIMEOUT" or "ERROR"

	mu   sync.Mutex // guards what follows
	info clientInfo
}

// clientInfo is what CLIENT LIST prints of a client, as of its last round.
type clientInfo struct {
	name, libName, libVersion string
	capa                      string // letters of CLIENT CAPA
	noEvict                   bool
	proto                     int
	lastActive                int64 // Unix milliseconds
	lastCommand               *Command
	queryBytes, queryFree     int
	argBytes, multiBytes      int
	multiLen                  int // -1 outside MULTI
	watching                  int
	blocked, readOnly         bool
	netIn, netOut, commands   int64
}

type replyMode uint8

const (
	replyOn replyMode = iota
	replyOff
	replySkipNext // CLIENT REPLY SKIP was just run
	replySkip     // the command now being run gets no reply
)

// Round is what a session reports after each round of commands.
type Round struct {
	Now                         int64 // Unix milliseconds
	Proto                       int
	QueryBytes, QueryFree       int
	BytesIn, BytesOut, Executed int64 // since the last report
	Blocked                     bool
}

// Report publishes the state of the session for CLIENT LIST, and returns how many bytes it holds more than it reported last.
func (c *Client) Report(r Round, last *Command) (grown int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	i := &c.info
	i.lastActive, i.proto = r.Now, r.Proto
	if last != nil {
		i.lastCommand = last
	}
	before := i.queryBytes + i.queryFree + i.multiBytes
	i.queryBytes, i.queryFree, i.multiBytes = r.QueryBytes, r.QueryFree, c.multi.memory()
	i.multiLen, i.watching = -1, len(c.multi.watched)
	if c.multi.on {
		i.multiLen = len(c.multi.queue)
	}
	i.blocked, i.readOnly = r.Blocked, c.ReadOnly
	i.netIn += r.BytesIn
	i.netOut += r.BytesOut
	i.commands += r.Executed
	return i.queryBytes + i.queryFree + i.multiBytes - before
}

// Idle returns for how many milliseconds the client sent nothing; a client that
// waits in a blocking command, or is a replica, is never idle.
func (c *Client) Idle(now int64) int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.info.blocked || c.follows.Load() {
		return 0
	}
	return now - c.info.lastActive
}

// Strict reports whether the client has yet to authenticate.
func (c *Client) Strict(e *Env) bool { return !c.authenticated && e.passwordNeeded() }

// Clients are the connected clients. Its methods are safe from any goroutine.
type Clients struct {
	mu     sync.Mutex
	all    map[uint64]*Client
	nextID uint64
}

// Add registers a client and gives it an ID.
func (cs *Clients) Add(c *Client, e *Env) {
	c.beDefault(e)
	c.info = clientInfo{lastActive: c.Created, proto: 2, multiLen: -1}
	cs.mu.Lock()
	defer cs.mu.Unlock()
	cs.nextID++
	c.ID = cs.nextID
	cs.all[c.ID] = c
}

// Remove forgets a client whose connection is closed.
func (cs *Clients) Remove(c *Client) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	delete(cs.all, c.ID)
}

// Len returns how many clients are connected.
func (cs *Clients) Len() int {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	return len(cs.all)
}

// List returns the clients in order of their IDs.
func (cs *Clients) List() []*Client {
	list := cs.All()
	sortClients(list)
	return list
}

// All returns the clients in no order, which of many clients costs a part of List.
func (cs *Clients) All() []*Client {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	list := make([]*Client, 0, len(cs.all))
	for _, c := range cs.all {
		list = append(list, c)
	}
	return list
}

// some returns the clients that are there of those with the IDs, in their order.
func (cs *Clients) some(ids map[uint64]bool) []*Client {
	cs.mu.Lock()
	var list []*Client
	for id := range ids {
		if c := cs.all[id]; c != nil {
			list = append(list, c)
		}
	}
	cs.mu.Unlock()
	sortClients(list)
	return list
}

// NewCall returns the Call that a session of client uses for all its commands.
func NewCall(e *Env, client *Client) *Call {
	client.beDefault(e)
	return &Call{Env: e, Client: client, Out: &resp.Writer{}}
}

// Leave undoes what the session left behind: its watched keys.
func (c *Call) Leave() {
	c.discard()
	c.Env.Broker.leave(c.Client)
	c.Env.Tracking.leave(c.Client)
	c.Env.Stats.add(&c.tally)
}
