package psync

import (
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"cobble/server/resp"
	"cobble/server/words"
	"cobble/storage"
)

// Peer is what a follower has said of itself by REPLCONF.
type Peer struct {
	Port                int
	IP                  string // "": that of the connection
	EOF, PSYNC2         bool   // what it is capable of: a file whose end is marked, a changing id
	FileOnly            bool   // it wants no stream
	NoData, NoFunctions bool   // it wants neither keys, nor functions
}

// badFilter refuses a filter, in Redis's words.
type badFilter string

func (e badFilter) Error() string { return string(e) }

// Filter has it want only the parts of the file that are named.
func (p *Peer) Filter(list string) error {
	parts, ok := words.Split(list)
	if !ok {
		return badFilter("Missing rdb-filter-only values")
	}
	p.NoData, p.NoFunctions = true, true
	for _, part := range parts {
		if !strings.EqualFold(part, "functions") {
			return badFilter("Unsupported rdb-filter-only option: " + part)
		}
		p.NoFunctions = false
	}
	return nil
}

// Filtered reports whether it wants only parts of the file.
func (p *Peer) Filtered() bool { return p.NoData || p.NoFunctions }

// Request is a SYNC, or a PSYNC with what it asks to continue. Its connection is the follower's until Serve returns.
type Request struct {
	Peer
	Conn    net.Conn
	In      *resp.Reader // what was read of Conn
	Addr    string       // where it comes from, "ip:port"
	Partial bool         // PSYNC
	ID      string       // of the stream that it had; "?": none
	Next    int64        // offset of the byte that it wants next
	Stop    <-chan struct{}
}

// State is what INFO says of a follower.
type State uint8

// The states of a follower.
const (
	StateWaiting State = iota // for the file
	StateSending              // it
	StateOnline
)

func (s State) String() string {
	return [...]string{"wait_bgsave", "send_bulk", "online"}[s]
}

// follower is a connection that is served.
type follower struct {
	Request
	src    *Source
	began  time.Time
	state  atomic.Uint32
	online chan struct{} // closed at the first acknowledgement
	once   sync.Once
	gone   chan struct{} // closed when the connection has ended
	acked  atomic.Int64  // offset
	heard  atomic.Int64  // Unix nanoseconds of the last acknowledgement
	lsn    atomic.Uint64 // of the log, up to which it has acknowledged everything
	marks  marks
	cut    atomic.Pointer[string] // why it is to be cut off
}

// Name is how Redis calls a follower in its log.
func (f *follower) name() string {
	if f.Port == 0 {
		return f.Addr
	}
	return net.JoinHostPort(f.ip(), fmt.Sprint(f.Port))
}

func (f *follower) ip() string {
	if f.IP != "" {
		return f.IP
	}
	host, _, err := net.SplitHostPort(f.Addr)
	if err != nil {
		return f.Addr
	}
	return host
}

// end closes the connection, for a reason unless "".
func (f *follower) end(reason string) {
	if reason != "" {
		f.cut.CompareAndSwap(nil, &reason)
	}
	_ = f.Conn.Close()
}

// Write sends bytes, and gives up when the follower takes nothing for the time-out.
func (f *follower) Write(b []byte) (int, error) {
	n := 0
	for n < len(b) {
		_ = f.Conn.SetWriteDeadline(time.Now().Add(f.src.settings().Timeout))
		m, err := f.Conn.Write(b[n:min(n+256<<10, len(b))])
		n += m
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

// listen reads what the follower says until its connection ends.
func (f *follower) listen() {
	defer close(f.gone)
	for {
		n, err := f.Conn.Read(f.In.Space())
		if err != nil {
			return
		}
		f.heard.Store(time.Now().UnixNano()) // one that loads its file sends newlines only
		f.In.Filled(n)
		for {
			args, err := f.In.Next()
			if err != nil {
				f.end("it does not speak the protocol: " + err.Error())
				return
			}
			if args == nil {
				break
			}
			f.hear(args)
		}
	}
}

// hear takes in what a follower says: REPLCONF ACK counts, and the rest is passed over, as Redis does.
func (f *follower) hear(args [][]byte) {
	if len(args) < 3 || !fold(args[0], "replconf") {
		return
	}
	for i := 1; i+1 < len(args); i += 2 {
		if !fold(args[i], "ack") {
			continue
		}
		offset, ok := storage.ParseInt(args[i+1])
		if !ok {
			return
		}
		if offset > f.acked.Load() {
			f.acked.Store(offset)
			if lsn, ok := f.marks.upTo(offset); ok {
				f.lsn.Store(uint64(lsn))
			}
		}
		f.once.Do(func() { close(f.online) })
	}
}

// silent reports whether nothing was heard for the time-out.
func (f *follower) silent() bool {
	return time.Duration(time.Now().UnixNano()-f.heard.Load()) > f.src.settings().Timeout
}

// sleep waits until something ends the follower, or for the time.
func (f *follower) sleep(d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-f.gone:
		return io.EOF
	case <-f.Stop:
		return errStopped
	}
}

var (
	errStopped = errors.New("psync: stopped")
	errGone    = io.EOF // the connection has ended
)

// fold reports whether an argument is a word, in any case.
func fold(arg []byte, word string) bool { return strings.EqualFold(string(arg), word) }
