package storage

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"cobble/slots"
	"cobble/storage/log"
)

// The kill harness. A process of its own writes to a store on the real file system, as
// the server does: through the mapped window of the log, over the ends of segments, with
// generations and barriers; and is killed with SIGKILL at some moment, also while it
// starts. What it has acknowledged must be there when the next one opens the store, every
// record whole or not at all, and a reader of the log's tail must never meet anything but
// whole records. (The crash harness beside this one has a file system in memory, which
// cannot be mapped, and crashes of the machine.)
//
// COBBLE_SEEDS=n kills n times as often.

// killEnv tells the process of TestKillWriter what to do, in JSON.
const killEnv = "COBBLE_KILL_WRITER"

type killOrders struct {
	Dir      string
	Seed     uint64
	Segment  int64
	Always   bool
	EarlyAck bool // the planted bug: acknowledged when it is appended
	Acked    [killKeys + 1]int
}

const (
	killWriters = 4
	killKeys    = 20 // of all writers; behind them the number of the emptied slot's state
)

func killSlot(i int) slots.Slot { return slots.Of(killKey(i, "n")) }

func killKey(i int, what string) []byte { return fmt.Appendf(nil, "{k%d}%s", i, what) }

// killValue is what the two values of key i are in state n; nil: they are not there.
func killValue(i, n int) []byte {
	rng := rand.New(rand.NewPCG(uint64(i), uint64(n)))
	size := rng.IntN(600)
	switch rng.IntN(60) {
	case 0:
		size = 100_000 + rng.IntN(200_000) // a segment of its own, perhaps
	case 1, 2, 3, 4, 5, 6, 7:
		size = 3000 + rng.IntN(9000) // on both sides of what goes through the window
	case 8, 9, 10, 11, 12, 13:
		return nil
	}
	if n == 0 {
		return nil
	}
	return append(fmt.Appendf(nil, "%d:%d:", i, n), bytes.Repeat([]byte{byte('a' + rng.IntN(26))}, size)...)
}

// killFlushes says that state n of the emptied slot is one in which it was emptied.
func killFlushes(n int) bool { return n%10 == 0 }

func (o *killOrders) open() (*Engine, error) {
	policy := log.EverySec
	if o.Always {
		policy = log.Always
	}
	return Open(Options{Dir: o.Dir, Budget: 8 << 20, Policy: policy, SegmentBytes: o.Segment,
		GenerationBytes: 256 << 10, MaxDirtyBytes: 2 << 20, SSTBytes: 64 << 10})
}

// check holds the store against what was acknowledged, and returns the states found.
func (o *killOrders) check(e *Engine) (found [killKeys + 1]int, err error) {
	for i := range killKeys {
		_, err := e.View(testNow, killSlot(i), OpFunc(func(tx *Tx) error {
			text, _, err := tx.StringGet(killKey(i, "n"))
			if err != nil {
				return err
			}
			n := 0
			_, _ = fmt.Sscan(string(text), &n)
			if n < o.Acked[i] || n > o.Acked[i]+1 {
				return fmt.Errorf("key %d is in state %d, %d was acknowledged", i, n, o.Acked[i])
			}
			found[i] = n
			for _, what := range []string{"a", "b"} {
				got, ok, err := tx.StringGet(killKey(i, what))
				if want := killValue(i, n); err == nil && (ok != (want != nil) || !bytes.Equal(got, want)) {
					err = fmt.Errorf("key %d in state %d: value %s is %.30q, %v, want %.30q", i, n, what, got, ok, want)
				}
				if err != nil {
					return err
				}
			}
			return nil
		}))
		if err != nil {
			return found, err
		}
	}
	_, err = e.View(testNow, killSlot(killKeys), OpFunc(func(tx *Tx) error {
		text, ok, err := tx.StringGet(killKey(killKeys, "n"))
		if err != nil {
			return err
		}
		n, acked := 0, o.Acked[killKeys]
		if _, _ = fmt.Sscan(string(text), &n); !ok {
			for n = acked; !killFlushes(n) && n <= acked; n++ {
			}
		}
		if n < acked || n > acked+1 || killFlushes(n) == ok {
			return fmt.Errorf("the emptied slot is in state %d, %v; %d was acknowledged", n, ok, acked)
		}
		found[killKeys] = n
		return nil
	}))
	return found, err
}

// TestKillWriter is the process that is killed, and nothing when it is run otherwise.
func TestKillWriter(t *testing.T) {
	text := os.Getenv(killEnv)
	if text == "" {
		return
	}
	var o killOrders
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		t.Fatal(err)
	}
	w := killWriter{o: &o, out: os.NewFile(3, "acknowledgements")}
	w.say("open 0\n")
	var err error
	if w.e, err = o.open(); err == nil {
		err = w.run()
	}
	w.say("error %q\n", fmt.Sprint(err)) // it runs until it is killed
}

type killWriter struct {
	o   *killOrders
	e   *Engine
	out *os.File
}

// say tells the parent, in one write.
func (w *killWriter) say(format string, args ...any) {
	_, _ = w.out.Write(fmt.Appendf(nil, format, args...))
}

func (w *killWriter) run() error {
	found, err := w.o.check(w.e)
	if err != nil {
		return err
	}
	for i, n := range found {
		w.say("%d %d\n", i, n)
	}
	failed := make(chan error)
	go func() { failed <- w.tail() }()
	for writer := range killWriters {
		go func() {
			for n := 1; ; n++ {
				for i := writer; i < killKeys; i += killWriters {
					if err := w.change(i, found[i]+n); err != nil {
						failed <- err
						return
					}
				}
			}
		}()
	}
	go func() {
		for n := found[killKeys] + 1; ; n++ {
			if err := w.changeEmptied(n); err != nil {
				failed <- err
				return
			}
		}
	}()
	return <-failed
}

func (w *killWriter) change(i, n int) error {
	value := killValue(i, n)
	return w.acknowledge(i, n)(w.e.Update(testNow, []slots.Slot{killSlot(i)}, OpFunc(func(tx *Tx) error {
		for _, what := range []string{"a", "b"} {
			var err error
			if value == nil {
				_, err = tx.Delete(killKey(i, what))
			} else {
				_, err = tx.StringSet(killKey(i, what), value, SetOptions{})
			}
			if err != nil {
				return err
			}
		}
		_, err := tx.StringSet(killKey(i, "n"), fmt.Append(nil, n), SetOptions{})
		return err
	})))
}

func (w *killWriter) changeEmptied(n int) error {
	slot := killSlot(killKeys)
	if killFlushes(n) {
		var set slots.Set
		set.Add(slot)
		return w.acknowledge(killKeys, n)(w.e.FlushSlots(testNow, set))
	}
	return w.acknowledge(killKeys, n)(w.e.Update(testNow, []slots.Slot{slot}, OpFunc(func(tx *Tx) error {
		_, err := tx.StringSet(killKey(killKeys, "n"), fmt.Append(nil, n), SetOptions{})
		return err
	})))
}

func (w *killWriter) acknowledge(i, n int) func(LSN, error) error {
	return func(lsn LSN, err error) error {
		if err == nil && !w.o.EarlyAck {
			err = w.e.Await(lsn)
		}
		if err == nil {
			w.say("%d %d\n", i, n)
		}
		return err
	}
}

// tail reads the log as a replica's stream does.
func (w *killWriter) tail() error {
	r, pin, err := w.e.Log().Subscribe(w.e.Log().End())
	if err != nil {
		return err
	}
	for {
		entry, err := r.Next(context.Background())
		if err != nil {
			return fmt.Errorf("the tail of the log at %d: %w", r.Position(), err)
		}
		if err := pin.Move(entry.LSN); err != nil {
			return err
		}
	}
}

// killOnce runs the process, kills it when it has said so many lines, and takes note of
// what it acknowledged.
func killOnce(t *testing.T, o *killOrders, lines int) error {
	t.Helper()
	text, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	in, out, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	var noise bytes.Buffer
	cmd := exec.Command(os.Args[0], "-test.run=^TestKillWriter$", "-test.timeout=5m")
	cmd.Env = append(os.Environ(), killEnv+"="+string(text))
	cmd.ExtraFiles = []*os.File{out}
	cmd.Stdout, cmd.Stderr = &noise, &noise
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	out.Close()
	stuck := time.AfterFunc(5*time.Minute, func() { _ = cmd.Process.Kill() })
	var said []string
	for scan := bufio.NewScanner(in); scan.Scan(); {
		if said = append(said, scan.Text()); len(said) == lines {
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	err = cmd.Wait()
	if !stuck.Stop() {
		return fmt.Errorf("it was stuck after %d lines", len(said))
	}
	for _, line := range said {
		var i, n int
		if _, err := fmt.Sscanf(line, "%d %d", &i, &n); err == nil {
			o.Acked[i] = n
		} else if line != "open 0" {
			return errors.New(line)
		}
	}
	if len(said) < lines {
		return fmt.Errorf("it ended by itself: %v\n%s", err, &noise)
	}
	return nil
}

// killRounds kills the writer again and again, and returns what was wrong.
func killRounds(t *testing.T, o *killOrders, rounds int) error {
	rng := rand.New(rand.NewPCG(o.Seed, 1))
	for round := range rounds {
		o.Segment = []int64{128 << 10, 4 << 20}[rng.IntN(2)]
		o.Always = rng.IntN(3) == 0
		lines := 1 + killKeys + rng.IntN(1500)
		if rng.IntN(4) == 0 {
			lines = 1 // while it opens the store
		}
		if err := killOnce(t, o, lines); err != nil {
			return fmt.Errorf("round %d: %w", round, err)
		}
	}
	e, err := o.open()
	if err != nil {
		return err
	}
	_, err = o.check(e)
	return errors.Join(err, e.Close())
}

func TestKilledWriterLosesNothing(t *testing.T) {
	var wait sync.WaitGroup
	for seed := range uint64(2) {
		wait.Go(func() {
			o := killOrders{Dir: filepath.Join(t.TempDir(), "data"), Seed: seed}
			if err := killRounds(t, &o, 4*crashSeeds(1)); err != nil {
				t.Errorf("seed %d: %v", seed, err)
			}
		})
	}
	wait.Wait()
}

// A writer that acknowledges what it has only appended must be found out.
func TestKilledWriterMutant(t *testing.T) {
	const bound = 100
	for seed := range uint64(bound) {
		o := killOrders{Dir: filepath.Join(t.TempDir(), fmt.Sprint(seed)), Seed: seed, EarlyAck: true}
		if err := killRounds(t, &o, 3); err != nil {
			t.Logf("caught by seed %d: %v", seed, err)
			return
		}
	}
	t.Errorf("not noticed in %d seeds", bound)
}
