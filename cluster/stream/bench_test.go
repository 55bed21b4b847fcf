package stream

import (
	"context"
	"net"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"cobble/slots"
	"cobble/storage"
	"cobble/storage/log"
)

// benchPair is a primary and a replica on disk, over loopback.
func benchPair(b *testing.B) (p, r *node) {
	big := func(o *storage.Options) {
		*o = storage.Options{Dir: o.Dir, Budget: 256 << 20, RetainLog: 1 << 30, Now: o.Now}
	}
	p, r = newNodeWith(b, 1, vfs.Default, big), newNodeWith(b, 2, vfs.Default, big)
	p.lead(1)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { ln.Close() })
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go p.source.Serve(context.Background(), c, r.id)
		}
	}()
	f := r.newFollower(1)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		f.Run(ctx, func(ctx context.Context) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "tcp", ln.Addr().String())
		})
	}()
	r.follower, r.stop = f, func() { cancel(); <-done }
	r.caughtUp(p)
	return p, r
}

func setOne(b *testing.B, n *node, k, v []byte) log.LSN {
	lsn, err := n.engine.Update(testNow, []slots.Slot{slots.Of(k)}, storage.OpFunc(func(tx *storage.Tx) error {
		_, err := tx.StringSet(k, v, storage.SetOptions{})
		return err
	}))
	if err != nil {
		b.Fatal(err)
	}
	return lsn
}

// BenchmarkReplicate is the cost of a small write until a replica has applied it,
// many on the way.
func BenchmarkReplicate(b *testing.B) {
	p, r := benchPair(b)
	v := make([]byte, 100)
	b.ResetTimer()
	for i := range b.N {
		lsn := setOne(b, p, key(i%100000), v)
		if i%64 == 63 {
			if err := p.engine.Await(lsn); err != nil {
				b.Fatal(err)
			}
		}
	}
	if err := p.engine.Await(p.engine.Log().End()); err != nil {
		b.Fatal(err)
	}
	r.caughtUp(p)
}

// BenchmarkWaitOne is SET and WAIT 1, one at a time.
func BenchmarkWaitOne(b *testing.B) {
	p, _ := benchPair(b)
	v := make([]byte, 100)
	done := make(chan int, 1)
	b.ResetTimer()
	for i := range b.N {
		lsn := setOne(b, p, key(i%100000), v)
		if err := p.engine.Await(lsn); err != nil {
			b.Fatal(err)
		}
		p.source.Park(lsn, 1, log.Written, func(n int) { done <- n })
		<-done
	}
}
