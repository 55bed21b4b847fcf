package faults

import (
	"context"
	"fmt"
	"io"
	"log"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"cobble/tests/proc"
)

func number(name string, unset int) int {
	n, err := strconv.Atoi(os.Getenv(name))
	if err != nil {
		return unset
	}
	return n
}

func options(args ...string) proc.Options {
	o := proc.Options{Args: args}
	if os.Getenv("COBBLE_PROGRAM") == "redis" {
		o.Program = proc.Redis
	}
	return o
}

func TestMain(m *testing.M) {
	redis.SetLogger(quiet{log.New(io.Discard, "", 0)}) // refused connections are what these tests are about
	os.Exit(m.Run())
}

type quiet struct{ *log.Logger }

func (quiet) Printf(context.Context, string, ...any) {}

// workload writes increasing numbers to its keys, one writer a group of keys, and remembers for each key what was
// acknowledged and what was sent at the most.
type workload struct {
	client       *redis.ClusterClient
	keys         int
	acked, tried []atomic.Int64
	writes       atomic.Int64
	base         atomic.Int64 // numbers up to here may have been sent before
	mu           sync.Mutex
	errors       map[string]int
	stop         chan struct{}
	wg           sync.WaitGroup
}

// startWorkload starts the writers. A writer goes on after errors; classify counts them by their first words.
func startWorkload(t *testing.T, c *proc.Cluster, keys, writers int) *workload {
	w := &workload{keys: keys, acked: make([]atomic.Int64, keys), tried: make([]atomic.Int64, keys), errors: map[string]int{}, stop: make(chan struct{})}
	w.client = redis.NewClusterClient(&redis.ClusterOptions{Addrs: c.Addrs(), MaxRedirects: 16, DialTimeout: time.Second, ReadTimeout: 20 * time.Second, PoolSize: writers})
	t.Cleanup(func() { w.halt(); w.client.Close() })
	for i := range writers {
		w.wg.Go(func() { w.write(i, writers) })
	}
	return w
}

func keyName(i int) string { return fmt.Sprintf("key:%08d", i) }

func (w *workload) write(first, step int) {
	for n := w.base.Load() + 1; ; n++ {
		for key := first; key < w.keys; key += step {
			select {
			case <-w.stop:
				return
			default:
			}
			w.tried[key].Store(n)
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			err := w.client.Set(ctx, keyName(key), n, 0).Err()
			cancel()
			if err != nil {
				w.note(err)
				continue
			}
			w.acked[key].Store(n)
			w.writes.Add(1)
		}
	}
}

func (w *workload) note(err error) {
	words := strings.Fields(err.Error())
	w.mu.Lock()
	w.errors[strings.Join(words[:min(len(words), 2)], " ")]++
	w.mu.Unlock()
}

// halt stops the writers; what they had sent is answered or has failed when it returns.
func (w *workload) halt() {
	select {
	case <-w.stop:
	default:
		close(w.stop)
	}
	w.wg.Wait()
}

// failures lists the errors that clients saw, with how often.
func (w *workload) failures() map[string]int {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := map[string]int{}
	for k, v := range w.errors {
		out[k] = v
	}
	return out
}

// waitWrites waits until n more writes were acknowledged.
func (w *workload) waitWrites(t *testing.T, n int64) {
	t.Helper()
	goal := w.writes.Load() + n
	proc.Eventually(t, time.Minute, fmt.Sprintf("%d more acknowledged writes (errors: %v)", n, w.failures()), func() error {
		if have := w.writes.Load(); have < goal {
			return fmt.Errorf("%d are missing", goal-have)
		}
		return nil
	})
}

// verify reads every key: at least what was acknowledged, at most what was sent.
func (w *workload) verify(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute+time.Duration(w.keys)*100*time.Microsecond)
	defer cancel()
	lost := 0
	const batch = 500
	for from := 0; from < w.keys; from += batch {
		to := min(from+batch, w.keys)
		pipe := w.client.Pipeline()
		var got []*redis.StringCmd
		for key := from; key < to; key++ {
			got = append(got, pipe.Get(ctx, keyName(key)))
		}
		if _, err := pipe.Exec(ctx); err != nil && err != redis.Nil {
			t.Fatalf("reading back: %v", err)
		}
		for i, reply := range got {
			value, err := reply.Int64()
			if err != nil && err != redis.Nil {
				t.Fatalf("%s: %v", keyName(from+i), err)
			}
			if acked, tried := w.acked[from+i].Load(), w.tried[from+i].Load(); value < acked || value > tried {
				if lost++; lost <= 10 {
					t.Errorf("%s is %d; %d was acknowledged, %d was the last sent", keyName(from+i), value, acked, tried)
				}
			}
		}
	}
	if lost > 0 {
		t.Errorf("%d of %d keys are wrong", lost, w.keys)
	}
}

// fill writes every key once, in pipelines, beside the running writers: SET … NX changes nothing that they wrote.
func fill(t *testing.T, w *workload) {
	t.Helper()
	ctx := context.Background()
	const batch = 1000
	for from := 0; from < w.keys; from += batch {
		pipe := w.client.Pipeline()
		for key := from; key < min(from+batch, w.keys); key++ {
			pipe.SetNX(ctx, keyName(key), 0, 0)
		}
		if _, err := pipe.Exec(ctx); err != nil {
			t.Fatalf("filling: %v", err)
		}
	}
}

// sumKeys adds up DBSIZE; ForEachMaster calls it from several goroutines.
func sumKeys(total *int64) func(context.Context, *redis.Client) error {
	return func(ctx context.Context, c *redis.Client) error {
		n, err := c.DBSize(ctx).Result()
		atomic.AddInt64(total, n)
		return err
	}
}
