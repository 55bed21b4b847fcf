package server

import (
	"bytes"
	"sync"

	"cobble/server/command"
	"cobble/server/resp"
	"cobble/storage"
)

// session is the protocol state of one connection: bytes in, replies out. It
// holds no socket and starts no goroutine, so that whoever drives it may be a
// goroutine or an event loop.
//
// The driver fills in, calls advance until it asks for input, and after each call
// makes call.LSN durable before it sends what stands in call.Out.
type session struct {
	in     resp.Reader
	call   *command.Call
	client *command.Client
	srv    *Server

	executed int64
	broken   error // why the driver should drop the connection, if it is the client's fault
}

// step is what the driver has to do next.
type step uint8

const (
	stepInput    step = iota // read more
	stepFlush                // send what is there, then advance again
	stepLater                // send what is there, call call.Later where it may wait, then advance again
	stepClose                // send what is there, then close
	stepHandOver             // send what is there, then give the connection to call.HandOver
	stepDrop                 // close without a word
)

// flushAt bounds the replies that pile up before they are sent.
const flushAt = 256 << 10

// lookAhead is how many commands of a session, or of a round of many, are read
// before the first of them runs: so many waits for memory overlap.
const lookAhead = 16

// look reads ahead and appends what the commands will look up to hints. A client
// that has yet to authenticate is not read ahead: the next command may end that.
func (s *session) look(hints []storage.Hint) []storage.Hint {
	s.call.Look()
	s.in.Limits.Strict = s.client.Strict(s.call.Env)
	if s.in.Limits.Strict {
		return hints
	}
	for i := range s.in.Ahead(lookAhead) {
		hints = s.call.AppendHint(hints, s.in.Peek(i))
	}
	return hints
}

// prefetch looks ahead by itself in a pipeline.
func (s *session) prefetch() {
	var room [lookAhead]storage.Hint
	if hints := s.look(room[:0]); len(hints) > 1 {
		s.srv.env.Engine.Prefetch(hints)
	}
}

// advance executes complete commands until there is something for the driver to do.
// now is Unix milliseconds.
func (s *session) advance(now int64) step {
	s.call.Now = now
	s.call.Restart()
	if s.client.Closing {
		return stepClose
	}
	if s.call.HandOver != nil { // set by what ran as call.Later
		return stepHandOver
	}
	for {
		if s.in.Ready() == 0 {
			s.cool()
			s.prefetch()
			s.call.Restart()
		}
		args, err := s.in.Next()
		switch {
		case err != nil:
			s.broken = err
			s.call.Out.Error("ERR " + err.Error())
			return stepClose
		case args == nil:
			return stepInput
		case isHTTP(args[0]):
			s.srv.log.Printf(Warning, "Possible SECURITY ATTACK detected. It looks like somebody is sending POST or Host: commands to Redis. "+
				"This is likely due to an attacker attempting to use Cross Protocol Scripting to compromise your Redis instance. Connection from %s aborted.", s.client.Addr)
			return stepDrop
		}
		s.call.Follows = s.in.Ready() > 0 && bytes.Equal(args[0], s.in.Peek(0)[0])
		s.call.Execute(args)
		s.executed++
		switch {
		case s.call.Later != nil:
			if s.call.Brief {
				s.warmFirst()
			}
			return stepLater
		case s.call.HandOver != nil:
			return stepHandOver
		case s.client.Closing:
			return stepClose
		case s.call.Out.Len() >= flushAt:
			return stepFlush
		}
	}
}

// warmFirst has the command that must wait, most likely for rows on disk, read those of
// the commands behind it as well: one wait for all of them.
func (s *session) warmFirst() {
	later := s.call.Later
	s.call.Later = func(stop <-chan struct{}) {
		var room [lookAhead + 1]storage.WarmKey
		keys := s.call.AppendWarm(room[:0], s.call.Args)
		for i := range s.in.Ready() {
			keys = s.call.AppendWarm(keys, s.in.Peek(i))
		}
		// Whoever needs a row that could not be read meets the error.
		if s.call.Warm == nil {
			s.call.Warm = warms.Get().(*storage.Warm)
		}
		_ = s.srv.env.Engine.Warm(s.call.Warm, s.call.Now, keys)
		later(stop)
	}
}

var warms = sync.Pool{New: func() any { return new(storage.Warm) }}

// cool lets go of the rows that were read ahead.
func (s *session) cool() {
	if w := s.call.Warm; w != nil {
		s.call.Warm = nil
		w.Forget()
		warms.Put(w)
	}
}

// isHTTP recognises a browser that was tricked into talking to this port.
func isHTTP(name []byte) bool {
	if len(name) != 4 && len(name) != 5 {
		return false
	}
	return bytes.EqualFold(name, []byte("post")) || bytes.EqualFold(name, []byte("host:"))
}

// report tells CLIENT LIST about the round: bytes read and written since the last.
func (s *session) report(bytesIn, bytesOut int64, blocked bool) {
	if n := s.in.Given() + s.call.Out.Given(); n > 0 {
		s.srv.unused.Add(int64(n))
	}
	grown := s.client.Report(command.Round{
		Now: s.call.Now, Proto: s.call.Out.Proto(), QueryBytes: s.in.Buffered(), QueryFree: s.in.Free(),
		BytesIn: bytesIn, BytesOut: bytesOut, Executed: s.executed, Blocked: blocked,
	}, s.call.Cmd)
	s.srv.clientGrew(int64(grown))
	s.executed = 0
}

func (s *Server) queryTooLong(c *command.Client) {
	s.env.Stats.LimitedByQuery.Add(1)
	s.log.Printf(Warning, "Closing client that reached max query buffer length: %s", c.Addr)
}

func (s *Server) outputTooLong(c *command.Client) {
	s.env.Stats.LimitedByOutput.Add(1)
	s.log.Printf(Warning, "Client %s scheduled to be closed ASAP for overcoming of output buffer limits.", c.Addr)
}
