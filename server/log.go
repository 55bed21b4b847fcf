package server

import (
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// Level is how important a log line is.
type Level int32

// The levels of the loglevel setting, in its order.
const (
	Debug Level = iota
	Verbose
	Notice
	Warning
	Nothing
)

var levelMarks = [...]byte{'.', '-', '*', '#'}

// Logger writes lines as Redis does: "pid:role date mark text". It is safe for
// concurrent use.
type Logger struct {
	level atomic.Int32
	role  atomic.Int32 // 'C' while starting, 'M' primary, 'S' replica

	mu  sync.Mutex
	out io.Writer
	pid int
}

func newLogger(out io.Writer) *Logger {
	l := &Logger{out: out, pid: os.Getpid()}
	l.level.Store(int32(Notice))
	l.role.Store('C')
	return l
}

// SetRole changes the letter behind the process id.
func (l *Logger) SetRole(role byte) { l.role.Store(int32(role)) }

// SetLevel drops lines below level.
func (l *Logger) SetLevel(level Level) { l.level.Store(int32(level)) }

// open sends the lines to a file from now on.
func (l *Logger) open(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.out = f
	return nil
}

// Printf writes a line if level is important enough.
func (l *Logger) Printf(level Level, format string, args ...any) {
	if level < Level(l.level.Load()) || level >= Nothing {
		return
	}
	text := fmt.Sprintf(format, args...)
	stamp := time.Now().Format("02 Jan 2006 15:04:05.000")
	l.mu.Lock()
	defer l.mu.Unlock()
	fmt.Fprintf(l.out, "%d:%c %s %c %s\n", l.pid, rune(l.role.Load()), stamp, levelMarks[level], text)
}
