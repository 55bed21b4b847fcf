package stream

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"cobble/cluster"
	"cobble/slots"
	"cobble/storage"
	"cobble/storage/log"
)

// TestPartialSync: an empty replica whose primary still has all of its log, then
// one that was away for a while, gets records alone.
func TestPartialSync(t *testing.T) {
	fs := vfs.NewMem()
	p, r := newNodeWith(t, 1, fs, func(o *storage.Options) { o.RetainLog = 1 << 30 }), newNode(t, 2, fs)
	p.lead(1)
	p.set(1, 300)
	r.follow(p, nil)
	r.caughtUp(p)
	p.equal(r)
	p.set(2, 300)
	r.caughtUp(p)
	p.equal(r)
	if s := r.follower.Status(); s.State != LinkStreaming || s.PartialSyncs != 1 || s.FullSyncs != 0 || s.DataTime.IsZero() || !s.DownSince.IsZero() {
		t.Fatalf("status %+v", s)
	}
	r.unfollow()
	if s := r.follower.Status(); s.State != LinkDown || s.DownSince.IsZero() || s.Err == nil {
		t.Fatalf("status %+v", s)
	}
	p.set(3, 300)
	r.follow(p, nil)
	r.caughtUp(p)
	p.equal(r)
	if s := p.source.Stats(); s != (SourceStats{PartialOK: 2}) {
		t.Fatalf("source %+v", s)
	}
}

// TestFullSync: a replica of another history, with writes all the while.
func TestFullSync(t *testing.T) {
	for name, fs := range map[string]vfs.FS{"memory": vfs.NewMem(), "disk": vfs.Default} {
		t.Run(name, func(t *testing.T) {
			p, r := newNode(t, 1, fs), newNode(t, 2, fs)
			p.lead(3)
			p.set(1, 1500)
			p.flush()
			r.lead(2)
			r.set(9, 400)
			r.flush()
			r.follow(p, nil)
			for i := range 10 {
				p.set(uint64(10+i), 100)
			}
			r.caughtUp(p)
			p.equal(r)
			if s := r.follower.Status(); s.FullSyncs != 1 || s.PartialSyncs != 0 {
				t.Fatalf("status %+v", s)
			}
			if s := p.source.Stats(); s.Full != 1 || s.PartialErr != 1 {
				t.Fatalf("source %+v", s)
			}
			// And it survives a restart, and goes on from where it is.
			r.close()
			r.open()
			p.set(77, 100)
			r.follow(p, nil)
			r.caughtUp(p)
			p.equal(r)
			if s := r.follower.Status(); s.FullSyncs != 0 || s.PartialSyncs != 1 {
				t.Fatalf("after a restart: %+v", s)
			}
		})
	}
}

// TestRejoin: an old primary whose log is a beginning of the new one's goes on;
// one that wrote what nobody else has does a full sync and loses it.
func TestRejoin(t *testing.T) { rejoin(t) }

func rejoin(t testing.TB) {
	for _, diverged := range []bool{false, true} {
		fs := vfs.NewMem()
		a, b := newNode(t, 1, fs), newNode(t, 2, fs)
		a.lead(1)
		a.set(1, 200)
		b.follow(a, nil)
		b.caughtUp(a)
		b.unfollow()
		if diverged {
			a.set(2, 1)
		}
		b.lead(2)
		b.set(3, 50)
		a.follow(b, nil)
		a.caughtUp(b)
		b.equal(a)
		s := a.follower.Status()
		if full := s.FullSyncs == 1; full != diverged {
			t.Fatalf("diverged %v: %+v", diverged, s)
		}
		if got := a.engine.Log().Term(); got.Number != 2 {
			t.Fatalf("term %+v", got)
		}
	}
}

// TestFullSyncResumes: with the connection cut again and again, and both
// processes restarted in between, no file's bytes are sent twice but for what was
// on the way.
func TestFullSyncResumes(t *testing.T) {
	const cutAfter = 20 << 10 // bytes
	fs := vfs.NewMem()
	p, r := newNode(t, 1, fs), newNode(t, 2, fs)
	p.lead(1)
	p.set(1, 3000)
	p.flush()
	r.lead(1)
	r.set(2, 10)
	var left, read atomic.Int64
	wrap := func(c net.Conn) net.Conn { return &cutConn{c, &left, &read} }
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	follower := func() *Follower {
		f := r.newFollower(1)
		f.o.OnChange = cancel // the link is up: the full sync is over
		return f
	}
	f := follower()
	total := int64(0)
	for round := 0; ; round++ {
		if round > 200 {
			t.Fatal("no end")
		}
		left.Store(cutAfter)
		conn, _ := p.dialer(r.id, wrap)(context.Background())
		err := f.Follow(ctx, conn)
		if f.Status().FullSyncs > 0 {
			break
		}
		if !errors.Is(err, errCutConn) {
			t.Fatalf("round %d: %v", round, err)
		}
		switch round {
		case 0:
			for _, file := range p.source.cps.current.files {
				total += file.size
			}
			if total < 120<<10 { // how much depends on what was merged so far
				t.Fatalf("%d bytes; the test wants many rounds", total)
			}
		case 2:
			r.close()
			r.open()
			f = follower()
		case 4:
			p.close()
			p.open()
			p.set(5, 5)
		}
	}
	// Each round may lose one chunk that was cut off in the middle, and has
	// the list of files.
	if rounds := total/cutAfter + 1; read.Load() > total+3*rounds*cutAfter/4+100<<10 {
		t.Fatalf("%d bytes read for %d bytes of files", read.Load(), total)
	}
	if s := p.source.Stats(); s.Full == 0 {
		t.Fatalf("source %+v", s)
	}
	r.follow(p, nil)
	r.caughtUp(p)
	p.equal(r)
}

// TestDamagedPartIsSentAgain: what a crash left of a file is not trusted.
func TestDamagedPartIsSentAgain(t *testing.T) { damagedPartIsSentAgain(t) }

func damagedPartIsSentAgain(t testing.TB) {
	fs := vfs.NewMem()
	p, r := newNode(t, 1, fs), newNode(t, 2, fs)
	p.lead(1)
	p.set(1, 3000)
	p.flush()
	r.lead(1)
	r.set(2, 10)
	var left, read atomic.Int64
	f := r.newFollower(1)
	dir, err := r.engine.NextStoreDir()
	if err != nil {
		t.Fatal(err)
	}
	part := func() string {
		names, _ := fs.List(dir)
		for _, name := range names {
			if strings.HasSuffix(name, partSuffix) {
				if info, err := fs.Stat(dir + "/" + name); err == nil && info.Size() > 0 {
					return dir + "/" + name
				}
			}
		}
		return ""
	}
	// A data frame holds a small file whole, so what is left is made by hand:
	// the beginning of one of the files, with a wrong byte.
	left.Store(30 << 10)
	conn, _ := p.dialer(r.id, func(c net.Conn) net.Conn { return &cutConn{c, &left, &read} })(context.Background())
	f.Follow(context.Background(), conn)
	cp := p.source.cps.current
	var name string
	for _, file := range cp.files {
		if _, err := fs.Stat(dir + "/" + file.name); err != nil && file.size > 4000 {
			name = file.name
			break
		}
	}
	if name == "" {
		t.Fatal("every file is there already")
	}
	src, err := fs.Open(cp.dir + "/" + name)
	if err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 4000)
	if _, err := src.ReadAt(b, 0); err != nil {
		t.Fatal(err)
	}
	b[2000] ^= 1
	dst, err := fs.Create(dir+"/"+name+partSuffix, fetchCategory)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := dst.Write(b); err != nil {
		t.Fatal(err)
	}
	dst.Close()
	if part() == "" {
		t.Fatal("no part of a file is there")
	}
	r.follow(p, nil)
	r.caughtUp(p)
	p.equal(r)
	if part() != "" {
		t.Fatal("a part is still there")
	}
	if s := r.follower.Status(); s.FullSyncs != 1 {
		t.Fatalf("status %+v", s)
	}
}

// TestCrashDuringFullSync crashes the replica's disk at a random operation of a
// full sync, with some of what was not synced, and lets what is left go on.
func TestCrashDuringFullSync(t *testing.T) {
	p := newNode(t, 1, vfs.NewMem())
	p.lead(1)
	p.set(1, 1500)
	p.flush()
	for seed := range seeds(t, 16) {
		crashDuringFullSync(t, p, uint64(seed), randomPlan(uint64(seed)))
	}
}

// TestAcks: WAIT, WAITAOF and min-replicas-to-write over two replicas.
func TestAcks(t *testing.T) {
	fs := vfs.NewMem()
	p, a, b := newNode(t, 1, fs), newNode(t, 2, fs), newNode(t, 3, fs)
	p.lead(1)
	a.follow(p, nil)
	a.caughtUp(p)
	p.set(1, 10)
	end := p.engine.Log().End()
	two, none := make(chan int, 1), make(chan int, 1)
	p.source.Park(end, 2, log.Written, func(n int) { two <- n })
	cancel := p.source.Park(end+1, 1, log.Written, func(n int) { none <- n })
	a.caughtUp(p)
	if len(two) > 0 || p.source.Acked(end, log.Written) != 1 {
		t.Fatalf("%d replicas have it, want one", p.source.Acked(end, log.Written))
	}
	if n := p.source.Good(time.Now(), time.Minute); n != 1 {
		t.Fatalf("%d good replicas, want one", n)
	}
	if n := p.source.Good(time.Now().Add(time.Hour), time.Minute); n != 0 {
		t.Fatalf("%d good replicas in an hour, want none", n)
	}
	b.follow(p, nil)
	if n := <-two; n != 2 {
		t.Fatalf("count %d, want 2", n)
	}
	if !cancel() || cancel() {
		t.Fatal("cancel of a parked call says something else")
	}
	// No tick has come: nothing is synced at the replicas, nor claimed to be.
	if n := p.source.Acked(end, log.Synced); n != 0 {
		t.Fatalf("%d replicas say they have synced", n)
	}
	synced := make(chan int, 1)
	p.source.Park(end, 2, log.Synced, func(n int) { synced <- n })
	for _, r := range []*node{a, b} {
		if err := r.engine.Log().Sync(); err != nil {
			t.Fatal(err)
		}
	}
	if n := <-synced; n != 2 {
		t.Fatalf("count %d, want 2", n)
	}
	if peers := p.source.Peers(); len(peers) != 2 || peers[0].Node != a.id || peers[1].Node != b.id || peers[0].State.String() != "online" {
		t.Fatalf("peers %+v", peers)
	}
	called := false
	p.source.Park(end, 1, log.Written, func(int) { called = true })
	if !called || len(none) > 0 {
		t.Fatal("a call for what is there already was not made at once, or a cancelled one was made")
	}
	a.unfollow()
	eventually(t, "one peer is left", func() bool { return len(p.source.Peers()) == 1 })
}

// TestNothingWaitsForABeat: records go out and acknowledgements come back at
// once; beats are for silence.
func TestNothingWaitsForABeat(t *testing.T) {
	fs := vfs.NewMem()
	p, r := newNode(t, 1, fs), newNode(t, 2, fs)
	p.source.Close()
	p.beat, r.beat = time.Hour, time.Hour
	p.newSource(0)
	p.lead(1)
	r.follow(p, nil)
	done := make(chan int, 1)
	for i := range 50 {
		p.set(uint64(i), 1)
		p.source.Park(p.engine.Log().End(), 1, log.Written, func(n int) { done <- n })
		select {
		case <-done:
		case <-time.After(patience(t)):
			t.Fatalf("write %d is never acknowledged", i)
		}
	}
}

// TestRecordsBeforeABeatAreAcknowledged: also when a beat is the last that came.
func TestRecordsBeforeABeatAreAcknowledged(t *testing.T) {
	fs := vfs.NewMem()
	p, r := newNode(t, 1, fs), newNode(t, 2, fs)
	p.lead(1)
	p.set(1, 1)
	reader, err := p.engine.Log().NewReader(0)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	term, err := reader.TryNext()
	if err != nil {
		t.Fatal(err)
	}
	a, b := net.Pipe()
	r.beat = time.Hour
	f := r.newFollower(1)
	followed := make(chan error, 1)
	go func() { followed <- f.Follow(context.Background(), a) }()
	l := newLink(b, time.Now, patience(t))
	expect := func(want byte) []byte {
		t.Helper()
		kind, body, err := l.read()
		if err != nil || kind != want {
			t.Fatalf("frame %q, want %q: %v", kind, want, err)
		}
		return body
	}
	expect(frameHello)
	if err := l.write(frameContinue, func(out []byte) []byte { return append(out, 1, 0, 0, 0, 0, 0, 0, 0) }, nil); err != nil {
		t.Fatal(err)
	}
	expect(frameAck)
	both := append([]byte{byte(1 + len(term.Raw)), 0, 0, 0, frameRecords}, term.Raw...)
	both = append(both, 1+beatLen, 0, 0, 0, frameBeat)
	both = (&beat{timeMS: 1}).append(both)
	if _, err := b.Write(both); err != nil {
		t.Fatal(err)
	}
	var got ack
	if err := got.decode(expect(frameAck)); err != nil || got.applied != term.LSN || got.written != term.LSN {
		t.Fatalf("ack %+v, want %d: %v", got, term.LSN, err)
	}
	b.Close()
	<-followed
}

// TestAckMeansWritten: what a replica acknowledged is in its log after a kill,
// and with appendfsync always after a power cut.
func TestAckMeansWritten(t *testing.T) { ackMeansWritten(t) }

func ackMeansWritten(t testing.TB) {
	for _, policy := range []log.Policy{log.EverySec, log.Always} {
		fs := vfs.NewCrashableMem()
		p := newNode(t, 1, vfs.NewMem())
		r := newNodeWith(t, 2, fs, func(o *storage.Options) { o.Policy = policy })
		syncRoot(t, fs)
		p.lead(1)
		r.follow(p, nil)
		for i := range 20 {
			p.set(uint64(i), 5)
			r.caughtUp(p)
			cfg := vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: newRand(uint64(i))}
			if policy == log.Always {
				cfg.UnsyncedDataPercent = 0
			}
			acked := p.ackedBy(r)
			l, err := log.Open(log.Options{FS: fs.CrashClone(cfg), Dir: r.dir + "/log", SegmentBytes: 64 << 10})
			if err != nil {
				t.Fatal(err)
			}
			if l.End() < acked {
				t.Fatalf("the log ends at %d, %d was acknowledged", l.End(), acked)
			}
			l.Close()
		}
	}
}

// TestImportTravelsWithItsFiles: an import at the primary reaches a replica that
// is streaming, and one that comes later.
func TestImportTravelsWithItsFiles(t *testing.T) {
	fs := vfs.NewMem()
	p, r, late := newNodeWith(t, 1, fs, func(o *storage.Options) { o.RetainLog = 1 << 30 }), newNode(t, 2, fs), newNode(t, 3, fs)
	p.lead(1)
	r.follow(p, nil)
	other := newNode(t, 4, fs)
	other.set(5, 300)
	other.flush()
	var set slots.Set
	for i := range 100 {
		set.Add(slots.Of(key(i)))
	}
	copySlots(t, other, p, set)
	p.set(6, 100)
	r.caughtUp(p)
	p.equal(r)
	late.follow(p, nil)
	late.caughtUp(p)
	p.equal(late)
	if s := late.follower.Status(); s.FullSyncs != 0 {
		t.Fatalf("status %+v", s)
	}
}

// TestSlowReplica: one that does not read is cut off when the log has gone too
// far, and nothing piles up in memory for it.
func TestSlowReplica(t *testing.T) { slowReplica(t) }

// TestPausedReplica: one that stops for a while finds its records still there.
func TestPausedReplica(t *testing.T) { pausedReplica(t) }

func pausedReplica(t testing.TB) {
	p := newNodeWith(t, 1, vfs.NewMem(), func(o *storage.Options) { o.RetainLog = 0 })
	r := newNode(t, 2, vfs.NewMem())
	p.lead(1)
	var left, read atomic.Int64
	left.Store(1 << 40)
	gate := make(chan struct{}, 1)
	r.follow(p, func(c net.Conn) net.Conn { return &gatedConn{cutConn{c, &left, &read}, gate} })
	r.caughtUp(p)
	gate <- struct{}{} // the replica reads nothing
	for i := range 10 {
		p.set(uint64(i), 300)
		p.flush() // and trims what nobody holds
	}
	<-gate
	r.caughtUp(p)
	p.equal(r)
	if s := r.follower.Status(); s.FullSyncs != 0 || s.PartialSyncs != 1 {
		t.Fatalf("status %+v", s)
	}
}

func slowReplica(t testing.TB) {
	p := newNodeWith(t, 1, vfs.NewMem(), func(o *storage.Options) { o.PinLog, o.RetainLog = 256<<10, 0 })
	p.lead(1)
	a, b := net.Pipe()
	served := make(chan error, 1)
	go func() { served <- p.source.Serve(context.Background(), b, cluster.ID{2}) }()
	l := newLink(a, time.Now, 20*time.Second)
	h := hello{version: protocolVersion, node: cluster.ID{2}, shard: testShard}
	if err := l.write(frameHello, h.append, nil); err != nil {
		t.Fatal(err)
	}
	for {
		kind, _, err := l.read()
		if err != nil {
			t.Fatal(err)
		}
		if kind == frameContinue {
			break
		}
	}
	for i := 0; len(served) == 0; i++ {
		p.set(uint64(i), 300)
		p.flush()
		if i > 100 {
			t.Fatal("the replica that reads nothing is still served")
		}
	}
	if err := <-served; !errors.Is(err, log.ErrPinBroken) {
		t.Fatalf("served until %v", err)
	}
	if start := p.engine.Log().Start(); start == 0 {
		t.Fatal("the log is still held")
	}
}

// TestOnlyOnlineCounts: a replica of another history says that it has what it
// does not have.
func TestOnlyOnlineCounts(t *testing.T) { onlyOnlineCounts(t) }

func onlyOnlineCounts(t testing.TB) {
	p := newNode(t, 1, vfs.NewMem())
	p.lead(2)
	p.set(1, 20)
	a, b := net.Pipe()
	go p.source.Serve(context.Background(), b, cluster.ID{2})
	defer a.Close()
	l := newLink(a, time.Now, 20*time.Second)
	end := p.engine.Log().End()
	h := hello{version: protocolVersion, node: cluster.ID{2}, shard: testShard, position: log.Position{LSN: end, Term: 1, CRC: 7}}
	if err := l.write(frameHello, h.append, nil); err != nil {
		t.Fatal(err)
	}
	for synced := false; !synced; {
		kind, _, err := l.read()
		if err != nil {
			t.Fatal(err)
		}
		synced = kind == frameFull
	}
	go func() { // the beats
		for {
			if _, _, err := l.read(); err != nil {
				return
			}
		}
	}()
	since := p.source.Peers()[0].LastAck
	claim := ack{written: end, synced: end, applied: end}
	if err := l.write(frameAck, claim.append, nil); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the ack is taken", func() bool { return p.source.Peers()[0].LastAck.After(since) })
	if n := p.source.Acked(end, log.Written); n != 0 {
		t.Fatalf("%d replicas count that are not online", n)
	}
}

func TestRefusals(t *testing.T) {
	p := newNode(t, 1, vfs.NewMem())
	p.lead(5)
	good := hello{version: protocolVersion, node: cluster.ID{2}, shard: testShard, term: 5}
	for name, c := range map[string]struct {
		change func(*hello)
		reason Reason
	}{
		"version": {func(h *hello) { h.version = 9 }, ReasonVersion},
		"shard":   {func(h *hello) { h.shard = cluster.ID{1} }, ReasonShard},
		"term":    {func(h *hello) { h.term = 6 }, ReasonOldTerm},
		"node":    {func(h *hello) { h.node = cluster.ID{3} }, ReasonInternal},
		"replica": {func(*hello) { p.term.Store(0) }, ReasonNotPrimary},
	} {
		h := good
		c.change(&h)
		a, b := net.Pipe()
		served := make(chan error, 1)
		go func() { served <- p.source.Serve(context.Background(), b, cluster.ID{2}) }()
		l := newLink(a, time.Now, 20*time.Second)
		if err := l.write(frameHello, h.append, nil); err != nil {
			t.Fatal(err)
		}
		kind, body, err := l.read()
		if err != nil || kind != frameRefused {
			t.Fatalf("%s: frame %q, %v", name, kind, err)
		}
		var refused *RefusedError
		if !errors.As(parseRefused(body), &refused) || refused.Reason != c.reason || refused.Text == "" {
			t.Fatalf("%s: %+v", name, refused)
		}
		if err := <-served; !errors.As(err, &refused) {
			t.Fatalf("%s: served until %v", name, err)
		}
		p.term.Store(5)
	}
}

// TestOldPrimaryIsLeft: a replica that was told of a newer term takes nothing
// from a primary that does not have it, and a primary that is none any more ends
// its connections.
func TestOldPrimaryIsLeft(t *testing.T) { oldPrimaryIsLeft(t) }

func oldPrimaryIsLeft(t testing.TB) {
	fs := vfs.NewMem()
	p, r := newNode(t, 1, fs), newNode(t, 2, fs)
	p.lead(5)
	p.set(1, 10)
	f := r.newFollower(6)
	conn, _ := p.dialer(r.id, nil)(context.Background())
	var refused *RefusedError
	ctx, cancel := context.WithTimeout(context.Background(), patience(t))
	defer cancel()
	if err := f.Follow(ctx, conn); !errors.As(err, &refused) || refused.Reason != ReasonOldTerm {
		t.Fatalf("followed an old primary until %v", err)
	}
	if end := r.engine.Log().End(); end != 0 {
		t.Fatalf("%d bytes taken", end)
	}
	// Also when the primary does not look at the term itself, whatever it answers.
	answers := map[byte]func(out []byte) []byte{
		frameContinue: func(out []byte) []byte { return append(out, 5, 0, 0, 0, 0, 0, 0, 0) },
		frameFull:     (&full{term: 5}).append,
	}
	for answer, body := range answers {
		a, b := net.Pipe()
		go func() {
			l := newLink(b, time.Now, 20*time.Second)
			for {
				if kind, _, err := l.read(); err != nil {
					return
				} else if kind == frameHello {
					l.write(answer, body, nil)
				}
			}
		}()
		if err := f.Follow(ctx, a); err == nil || !strings.Contains(err.Error(), "has term 5, 6 is expected") {
			t.Fatalf("followed an old primary that answers %q until %v", answer, err)
		}
	}
	r.follow(p, nil)
	r.caughtUp(p)
	p.term.Store(0)
	eventually(t, "the replica is left alone", func() bool { return len(p.source.Peers()) == 0 })
	eventually(t, "the link is down", func() bool { return r.follower.Status().State != LinkStreaming })
}

// TestSilence: each side gives the other one up when it hears nothing.
func TestSilence(t *testing.T) {
	fs := vfs.NewMem()
	p, r := newNode(t, 1, fs), newNode(t, 2, fs)
	p.lead(1)
	short := 30 * time.Millisecond
	f := r.newFollower(1)
	f.o.Timeout = short
	a, b := net.Pipe()
	go func() { // swallows everything, says nothing
		buf := make([]byte, 1024)
		for {
			if _, err := b.Read(buf); err != nil {
				return
			}
		}
	}()
	var ne net.Error
	if err := f.Follow(context.Background(), a); !errors.As(err, &ne) || !ne.Timeout() {
		t.Fatalf("a silent primary: %v", err)
	}
	p.source.o.Timeout = short
	_, c := net.Pipe()
	if err := p.source.Serve(context.Background(), c, cluster.ID{}); !errors.As(err, &ne) || !ne.Timeout() {
		t.Fatalf("a silent replica: %v", err)
	}
}

// TestCheckpointIsShared: two replicas that come together are served from one
// checkpoint, and it goes when nobody needs it.
func TestCheckpointIsShared(t *testing.T) {
	fs := vfs.NewMem()
	p, a, b := newNode(t, 1, fs), newNode(t, 2, fs), newNode(t, 3, fs)
	p.lead(2)
	p.set(1, 1000)
	p.flush()
	p.source.Close()
	p.newSource(1 << 20)
	p.source.cps.keep = time.Millisecond
	for _, r := range []*node{a, b} {
		r.lead(1)
		r.set(2, 10)
		r.follow(p, nil)
	}
	a.caughtUp(p)
	b.caughtUp(p)
	p.equal(a)
	p.equal(b)
	if s := p.source.Stats(); s.Full != 2 {
		t.Fatalf("source %+v", s)
	}
	eventually(t, "the checkpoint is gone", func() bool {
		names, err := fs.List(p.dir + "/outgoing")
		return err == nil && len(names) == 0
	})
	if n := p.engine.Log().Stats().Pins; n != 2 {
		t.Fatalf("%d pins, want one for each replica", n)
	}
}

// A replica that is being greeted while this node's role changes must not slip in behind it.
func TestDisconnectAllMeetsWhatIsBeingGreeted(t *testing.T) {
	fs := vfs.NewMem()
	p, r := newNode(t, 1, fs), newNode(t, 2, fs)
	p.lead(1)
	p.set(1, 10)
	greeted := make(chan struct{})
	var once sync.Once
	p.source.o.Term = func() uint64 { // greet asks for it
		term := p.term.Load()
		once.Do(func() { p.source.DisconnectAll(); close(greeted) })
		return term
	}
	a, b := net.Pipe()
	ended := make(chan error, 1)
	go func() { ended <- p.source.Serve(context.Background(), b, r.id) }()
	f := r.newFollower(1)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	dialed := false
	done := make(chan struct{})
	go func() {
		defer close(done)
		f.Run(ctx, func(ctx context.Context) (net.Conn, error) {
			if dialed {
				<-ctx.Done()
				return nil, ctx.Err()
			}
			dialed = true
			return a, nil
		})
	}()
	defer func() { cancel(); <-done }()
	<-greeted
	select {
	case err := <-ended:
		if !errors.Is(err, errDisconnected) {
			t.Errorf("ended with %v", err)
		}
	case <-time.After(patience(t)):
		t.Error("the connection was greeted as of a role that is over, and goes on")
	}
	if n := len(p.source.Peers()); n != 0 {
		t.Errorf("%d replicas are listed", n)
	}
}
