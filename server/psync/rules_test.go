package psync

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"cobble/server/resp"
	"cobble/slots"
	"cobble/storage"
)

const (
	// patience is far beyond what any step takes.
	patience = time.Minute
	noPing   = 5 * patience
)

// primary is a source whose log has numbered writes.
type primary struct {
	*Source
	t    testing.TB
	lsns []storage.LSN // behind the write of that number, which begin at 1

	during func() // is called when a copy was begun, none of whose file was taken
}

func newPrimary(t testing.TB, ping time.Duration, m mutants) *primary {
	t.Helper()
	settings := Settings{Timeout: 10 * patience, Ping: ping, Backlog: 1000}
	return &primary{Source: newSource(t, settings, m), t: t, lsns: make([]storage.LSN, 1)}
}

// write makes n writes, each of which is one command for a follower, and returns the number of the last.
func (p *primary) write(n int) int {
	p.t.Helper()
	key := []byte("k")
	for range n {
		value := strconv.AppendInt(nil, int64(len(p.lsns)), 10)
		lsn, err := p.Engine.Update(1_700_000_000_000, []slots.Slot{slots.Of(key)}, storage.OpFunc(func(tx *storage.Tx) error {
			_, err := tx.StringSet(key, value, storage.SetOptions{})
			return err
		}))
		p.lsns = append(p.lsns, lsn)
		if err == nil {
			err = p.Engine.Await(lsn)
		}
		if err != nil {
			p.t.Fatal(err)
		}
	}
	return p.last()
}

func (p *primary) last() int {
	return len(p.lsns) - 1
}

// numberAt is the last write up to a position.
func (p *primary) numberAt(lsn storage.LSN) int {
	n := 0
	for n+1 < len(p.lsns) && p.lsns[n+1] <= lsn {
		n++
	}
	return n
}

// guest is a follower's connection. What is sent to it stays with the sender until it is read.
type guest struct {
	p      *primary
	conn   net.Conn
	in     *bufio.Reader
	served chan struct{}

	full   bool   // it was given a new copy
	id     string // of its stream
	offset int64  // of the last byte that it has
}

// come asks for a stream from a byte on, and reads the answer and the file.
func (p *primary) come(peer Peer, id string, next int64) *guest {
	p.t.Helper()
	here, there := net.Pipe()
	g := &guest{p: p, conn: here, in: bufio.NewReaderSize(here, 16), served: make(chan struct{}), id: id, offset: next - 1}
	_ = here.SetReadDeadline(time.Now().Add(patience))
	peer.PSYNC2 = true
	go func() {
		defer close(g.served)
		p.Serve(Request{Peer: peer, Conn: there, In: &resp.Reader{}, Addr: "127.0.0.1:1", Partial: true, ID: id, Next: next, Stop: make(chan struct{})})
	}()
	p.t.Cleanup(g.leave)
	words := strings.Fields(g.line())
	switch {
	case len(words) == 2 && words[0] == "+CONTINUE" && words[1] == id:
		return g
	case len(words) != 3 || words[0] != "+FULLRESYNC":
		p.t.Fatalf("answered with %q", words)
	}
	g.full, g.id = true, words[1]
	var err error
	if g.offset, err = strconv.ParseInt(words[2], 10, 64); err != nil {
		p.t.Fatal(err)
	}
	if p.during != nil {
		p.during()
	}
	head := strings.TrimSpace(g.line())
	if mark, ok := strings.CutPrefix(head, "$EOF:"); ok {
		g.untilMark(mark)
		return g
	}
	size, err := strconv.ParseInt(strings.TrimPrefix(head, "$"), 10, 64)
	if err == nil {
		_, err = io.CopyN(io.Discard, g.in, size)
	}
	if err != nil {
		p.t.Fatalf("%q: %v", head, err)
	}
	return g
}

// line reads a line that is not empty.
func (g *guest) line() string {
	g.p.t.Helper()
	for {
		line, err := g.in.ReadString('\n')
		if err != nil {
			g.p.t.Fatalf("the connection has ended: %v", err)
		}
		if line != "\n" {
			return line
		}
	}
}

func (g *guest) untilMark(mark string) {
	g.p.t.Helper()
	var last []byte
	for !strings.HasSuffix(string(last), mark) {
		b, err := g.in.ReadByte()
		if err != nil {
			g.p.t.Fatal(err)
		}
		if last = append(last, b); len(last) > 2*len(mark) {
			last = last[len(mark):]
		}
	}
}

// next reads a command, other than PING.
func (g *guest) next() string {
	g.p.t.Helper()
	for {
		if command := g.any(); command != "PING" {
			return command
		}
	}
}

// ping reads up to the next PING; nothing else may come.
func (g *guest) ping() {
	g.p.t.Helper()
	if got := g.any(); got != "PING" {
		g.p.t.Fatalf("the follower hears %q", got)
	}
}

// any reads a command.
func (g *guest) any() string {
	g.p.t.Helper()
	head := g.line()
	n, err := strconv.Atoi(strings.TrimSpace(head[1:]))
	if err != nil || head[0] != '*' {
		g.p.t.Fatalf("%q where a command begins", head)
	}
	g.offset += int64(len(head))
	words := make([]string, n)
	for i := range words {
		size, word := g.line(), g.line() // no word has a newline
		g.offset += int64(len(size) + len(word))
		words[i] = strings.TrimSpace(word)
	}
	return strings.Join(words, " ")
}

// hears reads the writes from one number to another, and nothing else.
func (g *guest) hears(from, to int) {
	g.p.t.Helper()
	for n := from; n <= to; n++ {
		if got, want := g.next(), fmt.Sprint("SET k ", n); got != want {
			g.p.t.Fatalf("the follower hears %q, where %q comes next", got, want)
		}
	}
}

// begins reads what every stream begins with.
func (g *guest) begins() *guest {
	g.p.t.Helper()
	if got := g.next(); got != "SELECT 0" {
		g.p.t.Fatalf("a stream begins with %q", got)
	}
	return g
}

func (g *guest) acknowledge(offset int64) {
	g.p.t.Helper()
	text := strconv.FormatInt(offset, 10)
	if _, err := fmt.Fprintf(g.conn, "*3\r\n$8\r\nREPLCONF\r\n$3\r\nACK\r\n$%d\r\n%s\r\n", len(text), text); err != nil {
		g.p.t.Fatal(err)
	}
}

func (g *guest) leave() {
	_ = g.conn.Close()
	<-g.served
}

// What is written while a copy is made is in the copy or in the stream behind it, each write once and in its order; what
// was written before the follower came is in the copy.
func writesDuringCopy(t testing.TB, m mutants) {
	p := newPrimary(t, noPing, m)
	p.write(5)
	p.during = func() { p.write(5) }
	g := p.come(Peer{}, "?", 0)
	if n := p.numberAt(storage.LSN(g.offset)); n != 5 {
		t.Fatalf("5 writes were there, and %d are in the copy", n)
	}
	g.begins().hears(6, p.write(1))
}

// A connection that breaks in the middle of what is sent costs nothing: the follower goes on where it was.
func brokenWhileSending(t testing.TB, m mutants) {
	p := newPrimary(t, noPing, m)
	g := p.come(Peer{}, "?", 0).begins()
	for range 3 {
		n := p.write(1)
		if _, err := g.in.ReadByte(); err != nil { // the rest of the command is under way
			t.Fatal(err)
		}
		g.leave()
		if g = p.come(Peer{}, g.id, g.offset+1); g.full {
			t.Fatal("the follower was given a new copy")
		}
		g.hears(n, p.write(1))
	}
}

// A stream goes on where it has every byte that the follower lacks, and nowhere else.
func onlyWhatIsKept(t testing.TB, m mutants) {
	p := newPrimary(t, noPing, m)
	g := p.come(Peer{}, "?", 0).begins()
	g.hears(1, p.write(20))
	ends := map[int]int64{20: g.offset}
	for n := 21; n <= 100; n++ {
		g.hears(n, p.write(1))
		ends[n] = g.offset
	}
	oldest := 100 // whose end is in reach
	for ends[100]-ends[oldest-1] <= 1000 {
		oldest--
	}
	for _, from := range []int{100, 99, oldest} {
		g.leave()
		if g = p.come(Peer{}, g.id, ends[from]+1); g.full {
			t.Fatalf("the follower that has write %d was given a new copy, though all is kept from %d on", from, oldest)
		}
		g.hears(from+1, 100)
	}
	for name, next := range map[string]int64{"behind what is kept": ends[100] - 1000, "far behind": ends[20] + 1, "ahead": ends[100] + 2} {
		g.leave()
		if came := p.come(Peer{}, g.id, next); !came.full {
			t.Fatalf("a follower that is %s goes on", name)
		} else {
			came.leave()
		}
	}
}

// A stream that cannot go on has ended: a follower that comes back to it would miss what could not be said.
func resyncIsNewCopy(t testing.TB, m mutants) {
	p := newPrimary(t, noPing, m)
	g := p.come(Peer{}, "?", 0).begins()
	g.hears(1, p.write(1))
	other := slots.Of([]byte("other"))
	if _, err := p.Engine.Update(1_700_000_000_000, []slots.Slot{other}, storage.OpFunc(func(tx *storage.Tx) error {
		_, err := tx.StringSet([]byte("other"), []byte("v"), storage.SetOptions{})
		return err
	})); err != nil {
		t.Fatal(err)
	}
	if got := g.next(); got != "SET other v" {
		t.Fatal(got)
	}
	var set slots.Set
	set.Add(other)
	if _, err := p.Engine.FlushSlots(1_700_000_000_000, set); err != nil { // one of two slots with keys leaves
		t.Fatal(err)
	}
	p.write(1)
	if b, err := g.in.ReadByte(); err == nil {
		t.Fatalf("after a slot has left the follower hears %q", b)
	}
	<-g.served
	if g = p.come(Peer{}, g.id, g.offset+1); !g.full {
		t.Fatal("the follower goes on without the record that could not be said")
	}
}

// The log is held for a follower from its copy on, however slowly it loads that.
func logIsHeld(t testing.TB, m mutants) {
	p := newPrimary(t, noPing, m)
	g := p.come(Peer{EOF: true}, "?", 0)
	large := []byte(strings.Repeat("x", 10_000))
	for range 5 { // of segments that are not needed any more
		p.write(1)
		for range 20 {
			if _, err := p.Engine.Update(1_700_000_000_000, []slots.Slot{slots.Of([]byte("big"))}, storage.OpFunc(func(tx *storage.Tx) error {
				_, err := tx.StringSet([]byte("big"), large, storage.SetOptions{})
				return err
			})); err != nil {
				t.Fatal(err)
			}
		}
		if err := p.Engine.Flush(); err != nil {
			t.Fatal(err)
		}
	}
	g.acknowledge(g.offset)
	g.begins()
	last := p.write(1)
	for n := 1; n <= last; {
		if got := g.next(); got == fmt.Sprint("SET k ", n) {
			n++
		} else if strings.HasPrefix(got, "SET k ") {
			t.Fatalf("the follower hears %q, where write %d comes next", got, n)
		}
	}
}

// What a follower has acknowledged, and no more, is what INFO says that it has.
func onlyAcknowledged(t testing.TB, m mutants) {
	p := newPrimary(t, 20*time.Millisecond, m)
	g := p.come(Peer{}, "?", 0).begins()
	has := func() int {
		all := p.Followers()
		if len(all) != 1 {
			t.Fatalf("%d followers", len(all))
		}
		return p.numberAt(all[0].LSN)
	}
	var ends []int64
	for n := 1; n <= 5; n++ {
		g.hears(n, p.write(1))
		ends = append(ends, g.offset)
	}
	g.ping()
	g.ping() // that it has heard everything was looked at
	if n := has(); n != 0 {
		t.Fatalf("a follower that has acknowledged nothing has write %d", n)
	}
	g.acknowledge(ends[2])
	end := time.Now().Add(patience)
	for has() < 3 {
		if time.Now().After(end) {
			t.Fatalf("write 3 is acknowledged, the follower has %d", has())
		}
		runtime.Gosched()
	}
	g.ping()
	g.ping()
	if n := has(); n != 3 {
		t.Fatalf("write 3 is acknowledged, the follower has %d", n)
	}
}

// A stream has one connection: a follower that comes again has its first one ended, and goes on.
func TestOneConnectionAStream(t *testing.T) {
	t.Parallel()
	p := newPrimary(t, noPing, mutants{})
	first := p.come(Peer{}, "?", 0).begins()
	n := p.write(1)
	if _, err := first.in.ReadByte(); err != nil { // the rest is under way
		t.Fatal(err)
	}
	second := p.come(Peer{}, first.id, first.offset+1)
	if second.full {
		t.Fatal("the follower was given a new copy")
	}
	if _, err := io.Copy(io.Discard, first.in); err != nil {
		t.Fatal(err)
	}
	<-first.served
	second.hears(n, p.write(1))
}

var rules = []struct {
	name     string
	scenario func(testing.TB, mutants)
	broken   string
	mutant   mutants
}{
	{"writes during a copy", writesDuringCopy, "a stream begins when its file was sent", mutants{streamLate: true}},
	{"a break in the middle", brokenWhileSending, "what was not sent is not kept", mutants{keptLate: true}},
	{"only what is kept", onlyWhatIsKept, "a stream goes on from anywhere", mutants{continueAlways: true}},
	{"a resync is a new copy", resyncIsNewCopy, "a stream that has ended waits", mutants{resyncWaits: true}},
	{"the log is held", logIsHeld, "it is not", mutants{streamUnpinned: true}},
	{"only what is acknowledged", onlyAcknowledged, "what was sent counts", mutants{ackedEarly: true}},
}

func TestRules(t *testing.T) {
	for _, r := range rules {
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			r.scenario(t, mutants{})
		})
	}
}

// catcher is a testing.TB that notes a failure instead of reporting it.
type catcher struct {
	testing.TB
	failure string
}

func (c *catcher) Helper()                           {}
func (c *catcher) Fatal(args ...any)                 { c.fail(fmt.Sprint(args...)) }
func (c *catcher) Fatalf(format string, args ...any) { c.fail(fmt.Sprintf(format, args...)) }

func (c *catcher) fail(text string) {
	c.failure = text
	runtime.Goexit()
}

// TestMutants switches off one rule at a time; the scenario that holds it must notice.
func TestMutants(t *testing.T) {
	for _, r := range rules {
		t.Run(r.broken, func(t *testing.T) {
			t.Parallel()
			c := &catcher{TB: t}
			done := make(chan struct{})
			go func() {
				defer close(done)
				r.scenario(c, r.mutant)
			}()
			<-done
			if c.failure == "" {
				t.Fatal("nothing noticed")
			}
			t.Logf("caught: %s", c.failure)
		})
	}
}
