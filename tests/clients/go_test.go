package clients

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// goLibrary is what a library for Go has to bring; the sessions of the other languages are made the same way.
type goLibrary struct {
	shows map[string]func(ctx context.Context) error // feature → shows it
	ways  []func(ctx context.Context, key, value string) error
	read  func(ctx context.Context, key string) (string, error)
	push  func(ctx context.Context, key, value string) error
	pop   func(ctx context.Context, key string) (popped bool, err error) // BLPOP of at most a second
	close func()
}

// inProcess runs the session of a library for Go.
func inProcess(name string, tags []string, lib goLibrary) *session {
	s := newSession(name)
	told := make(chan struct{})
	s.stop = func() { close(told) }
	go func() {
		defer close(s.ended)
		defer lib.close()
		for _, f := range features {
			if cannot[name][f] != "" {
				continue
			}
			if err := within(patience, lib.shows[f]); err != nil {
				s.result = fmt.Errorf("%s: %w", f, err)
				return
			}
			s.show(f)
		}
		s.ready.Store(true)
		var consumer sync.WaitGroup
		consumer.Go(func() { s.consume(lib, told) })
		s.result = s.produce(lib, tags, told)
		consumer.Wait()
	}()
	return s
}

func within(limit time.Duration, do func(ctx context.Context) error) error {
	if do == nil {
		return errors.New("is not written")
	}
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	return do(ctx)
}

// attempt is what one write or pop may take; who gets no answer tries again.
const attempt = 3 * time.Second

func (s *session) produce(lib goLibrary, tags []string, told chan struct{}) error {
	last := map[string]string{} // what was acknowledged, and nothing was tried after it
	for i := 0; ; i++ {
		select {
		case <-told:
			return s.verify(lib, last)
		case <-time.After(time.Millisecond): // leaves the machine to the others
		}
		key, value := "{"+tags[i%len(tags)]+"}"+s.name, fmt.Sprint(i)
		way := lib.ways[i/len(tags)%len(lib.ways)]
		delete(last, key)
		if err := within(attempt, func(ctx context.Context) error { return way(ctx, key, value) }); err != nil {
			s.note(err.Error(), 1)
			time.Sleep(10 * time.Millisecond) // a pause between attempts
			continue
		}
		last[key] = value
		s.writes.Add(1)
		if i%8 == 0 {
			if err := within(attempt, func(ctx context.Context) error { return lib.push(ctx, s.name+":queue", value) }); err != nil {
				s.note(err.Error(), 1)
			}
		}
	}
}

func (s *session) consume(lib goLibrary, told chan struct{}) {
	for {
		select {
		case <-told:
			return
		default:
		}
		var popped bool
		err := within(attempt, func(ctx context.Context) (err error) { popped, err = lib.pop(ctx, s.name+":queue"); return err })
		switch {
		case err != nil:
			s.note(err.Error(), 1)
			time.Sleep(10 * time.Millisecond) // a pause between attempts
		case popped:
			s.popped.Add(1)
		}
	}
}

func (s *session) verify(lib goLibrary, last map[string]string) error {
	for key, want := range last {
		var got string
		if err := within(patience, func(ctx context.Context) (err error) { got, err = lib.read(ctx, key); return err }); err != nil || got != want {
			return fmt.Errorf("GET %s: %q, %v; %q was acknowledged", key, got, err, want)
		}
	}
	return nil
}

// is compares what a library gave, printed, with what it should be.
func is(what string, got any, err error, want string) error {
	if err != nil || fmt.Sprint(got) != want {
		return fmt.Errorf("%s: %v, %v; want %s", what, got, err, want)
	}
	return nil
}

// eventually asks again until an answer is right: for what comes by another connection.
func eventually(ctx context.Context, check func() error) error {
	for {
		err := check()
		if err == nil || ctx.Err() != nil {
			return err
		}
		time.Sleep(5 * time.Millisecond) // a pause between attempts
	}
}

const addScript = "return redis.call('INCRBY', KEYS[1], ARGV[1])"
