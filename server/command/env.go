package command

import (
	"sync/atomic"

	"cobble/server/config"
	"cobble/server/psync"
	"cobble/slots"
	"cobble/storage"
)

// Env is what the process offers to commands. It is set up once, by NewEnv.
type Env struct {
	Engine  *storage.Engine
	View    atomic.Pointer[slots.View] // who serves which slot, as this node sees it
	Table   *Table
	Config  *config.Config
	Process Process

	ACL       AccessControl
	Clients   Clients
	Stats     Stats
	SlotStats SlotStats
	Scripts   Scripts
	Broker    Broker
	Tracking  Tracking
	Notifier  Notifier
	Slow      SlowLog
	Latency   LatencyMonitor
	Pause     Pause
	Cluster   *Cluster // nil: not a node of a cluster
	// Followers are the Redis replicas of this node.
	Followers *psync.Source
	// ServeUntil is the last moment, Unix milliseconds, at which View may be
	// believed; 0: for ever.
	ServeUntil atomic.Int64

	// Replication and WaitReplicas are the cluster's, if there is one.
	Replication func() Replication
	// WaitReplicas waits until so many replicas have what the session of c wrote,
	// with synced on their disks, and returns how many have it when the time is over
	// (0 = never) or stop is closed; nil counts no replica.
	WaitReplicas func(c *Call, replicas int, synced bool, timeoutMS int64, stop <-chan struct{}) (int, error)
	ClusterInfo  func() string // further lines of INFO cluster

	Deliver Deliver // how MIGRATE reaches other servers; nil: it does not
	// Pace is called after so many bytes were sent in the background, and returns when more may be, or stop is closed.
	// Transfers is what was sent so, bytes and microseconds of waiting.
	Pace      func(n int, stop <-chan struct{})
	Transfers func() (bytes, waited int64)

	// WriteGate holds the error that refuses writes now (no replicas, disk), nil for none.
	WriteGate atomic.Pointer[Error]
	// OverMemory is set while commands that need memory are refused: the data
	// exceeds maxmemory and nothing may be evicted, or is left to be.
	OverMemory atomic.Bool
	Evictor    Evictor

	slowMicros atomic.Int64

	LargeRequests, LargeReplies largeLog

	trackTimes  atomic.Bool
	activeSweep atomic.Bool
}

// Process is what commands ask of the process. Functions may be called from any goroutine.
type Process struct {
	Version    string // Cobble's
	PID        int
	RunID      string // 40 hex digits
	Executable string
	OS         string
	StartedAt  int64                          // Unix milliseconds
	Nanos      func() int64                   // monotonic clock
	Micros     func() int64                   // wall clock, Unix microseconds
	Usage      func() Usage                   // of memory and CPU, by now
	After      func(ms int64) <-chan struct{} // is closed after so many milliseconds
	// AfterFunc calls f on a goroutine of its own after so many milliseconds, unless stop comes first.
	AfterFunc  func(ms int64, f func()) (stop func() bool)
	Log        func(text string)
	Shutdown   func(s ShutdownRequest, gone <-chan struct{}) error // returns an error if it does not happen, nil when the client is gone
	ShutdownIn func() (ms int64, waits bool)                       // how long one may still wait for replicas; false if none does
	Abort      func() bool                                         // stops a shutdown that waits
	Reload     func() error                                        // closes and opens the store
	ReadRandom func(p []byte)
}

// Usage is what the system counts for the process.
type Usage struct {
	Heap, RSS, PeakHeap, Machine int64   // bytes
	HeapLive, HeapLimit          int64   // bytes that the last collection left, and that the heap is kept within
	UserCPU, SystemCPU           float64 // seconds
	Goroutines                   int
}

// NewEnv wires an Env; every node serves all slots until a View is stored.
func NewEnv(engine *storage.Engine, settings *config.Config, process Process) *Env {
	e := &Env{Engine: engine, Table: NewTable(), Config: settings, Process: process}
	e.View.Store(slots.Local())
	e.ACL.start(e)
	e.Broker.init()
	e.Tracking.start(e)
	e.Notifier.start(e)
	e.follow("tracking-table-max-keys", func(v config.Value) { e.Tracking.maxKeys.Store(v.Int) })
	e.Clients.all = map[uint64]*Client{}
	e.Stats.init(e.Table)
	e.activeSweep.Store(true)
	e.Evictor.start(e)
	e.follow("slowlog-log-slower-than", func(v config.Value) { e.slowMicros.Store(v.Int) })
	e.follow("cluster-slot-stats-enabled", func(v config.Value) { e.SlotStats.enable(v.Int != 0) })
	e.follow("latency-tracking", func(v config.Value) { e.trackTimes.Store(v.Int != 0) })
	e.follow("hash-max-listpack-entries", func(v config.Value) { engine.SetHashEntries(v.Int) })
	e.follow("hash-max-listpack-value", func(v config.Value) { engine.SetHashValue(v.Int) })
	e.follow("list-max-listpack-size", func(v config.Value) { engine.SetListSize(v.Int) })
	e.follow("set-max-intset-entries", func(v config.Value) { engine.SetIntsetEntries(v.Int) })
	e.follow("set-max-listpack-entries", func(v config.Value) { engine.SetSetEntries(v.Int) })
	e.follow("hll-sparse-max-bytes", func(v config.Value) { engine.SetSparseBytes(v.Int) })
	e.follow("set-max-listpack-value", func(v config.Value) { engine.SetSetValue(v.Int) })
	e.follow("zset-max-listpack-entries", func(v config.Value) { engine.SetZSetEntries(v.Int) })
	e.follow("zset-max-listpack-value", func(v config.Value) { engine.SetZSetValue(v.Int) })
	e.follow("busy-reply-threshold", func(v config.Value) { e.Scripts.threshold.Store(v.Int) })
	e.follow("slowlog-max-len", func(v config.Value) { e.Slow.setMax(v.Int) })
	e.follow("commandlog-request-larger-than", func(v config.Value) { e.LargeRequests.limit.Store(v.Int) })
	e.follow("commandlog-large-request-max-len", func(v config.Value) { e.LargeRequests.setMax(v.Int) })
	e.follow("commandlog-reply-larger-than", func(v config.Value) { e.LargeReplies.limit.Store(v.Int) })
	e.follow("commandlog-large-reply-max-len", func(v config.Value) { e.LargeReplies.setMax(v.Int) })
	e.follow("latency-monitor-threshold", func(v config.Value) { e.Latency.threshold.Store(v.Int) })
	return e
}

// follow applies a setting now and whenever it changes.
func (e *Env) follow(name string, apply func(config.Value)) {
	apply(config.Value{Text: e.Config.Text(name), Int: e.Config.Int(name)})
	e.Config.Watch(name, func(v config.Value) error { apply(v); return nil })
}

// ActiveExpire reports whether the sweeper should remove expired keys (DEBUG SET-ACTIVE-EXPIRE).
func (e *Env) ActiveExpire() bool { return e.activeSweep.Load() }
