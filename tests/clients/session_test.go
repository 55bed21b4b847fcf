package clients

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"cobble/tests/proc"
)

// The features that every session shows, in this order.
var features = []string{
	"types", "pipeline", "transaction", "watch", "evalsha", "fcall", "pubsub", "shardpubsub", "blpop", "xread", "tracking",
}

// cannot says which feature a library lacks, and why.
var cannot = map[string]map[string]string{
	"go-redis-2": {"tracking": "its cache needs RESP3; go-redis shows it"},
	"node-redis": {"tracking": "its cache needs RESP3; node-redis-3 shows it"},
}

// session is a library at work. It shows the features; then it writes each of the keys in turn, in the ways that its
// library has (SET, a pipeline, FCALL, MULTI), pushes to a list that another connection of it pops from with BLPOP, and
// goes on after errors until it is told to stop. Then it reads back what was acknowledged last.
type session struct {
	name  string
	waits bool // it holds commands for a lost node back until somebody answers at its address again

	ready          atomic.Bool
	ended          chan struct{} // closed when it has ended, after result was set
	result         error
	writes, popped atomic.Int64 // acknowledged since it is ready
	stop           func()       // tells it to end

	mu     sync.Mutex
	shown  []string
	errors map[string]int // what writes and pops failed with
}

func newSession(name string) *session {
	return &session{name: name, ended: make(chan struct{}), errors: map[string]int{}}
}

func (s *session) show(feature string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.shown = append(s.shown, feature)
}

func (s *session) note(text string, times int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.errors[text] += times
}

func (s *session) alive() bool {
	select {
	case <-s.ended:
		return false
	default:
		return true
	}
}

// missing gives an error when a feature was neither shown nor is known to lack, or shown although it lacks.
func (s *session) missing() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range features {
		reason, lacks := cannot[s.name][f]
		if lacks == slices.Contains(s.shown, f) {
			return fmt.Errorf("%s: shown %v; known to lack: %q", f, !lacks, reason)
		}
	}
	return nil
}

// The errors that users of Redis Cluster know: a node is gone or comes up, slots are on the move, a waiting client is
// let go. Each library words the loss of a connection in its own way.
var (
	known = regexp.MustCompile(`^(CLUSTERDOWN|LOADING|TRYAGAIN|UNBLOCKED|READONLY|MOVED|ASK|EXECABORT|MASTERDOWN)\b`)
	lost  = regexp.MustCompile(`(?i)EOF|connection|closed|refused|reset|timeout|timed out|no answer|broken pipe|deadline|disconnects client|too many cluster redirections`)
)

// unexpected lists the errors that a user of Redis Cluster would not expect.
func (s *session) unexpected() (out []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for text, n := range s.errors {
		if !known.MatchString(text) && !lost.MatchString(text) {
			out = append(out, fmt.Sprintf("%d × %q", n, text))
		}
	}
	return out
}

// external runs a session as a process. It prints lines: a feature that it has shown, "ready", then numbers of writes and
// of pops from time to time until its input ends, and at last "done" with the errors that it met as JSON.
func external(t *testing.T, name string, tags []string, command ...string) *session {
	s := newSession(name)
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Env = append(os.Environ(), "COBBLE_TAGS="+strings.Join(tags, " "))
	var stderr strings.Builder
	cmd.Stderr = &stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := proc.Spawn(cmd); err != nil {
		t.Fatalf("%s is needed to drive %s (make need): %v", command[0], name, err)
	}
	s.stop = func() { _ = stdin.Close() }
	t.Cleanup(func() { _ = cmd.Process.Kill() }) // when the test failed; the end of the test waits for nobody
	go func() {
		defer close(s.ended)
		last := ""
		for lines := bufio.NewScanner(stdout); lines.Scan(); {
			last = lines.Text()
			s.hear(last)
		}
		if err := cmd.Wait(); err != nil || !strings.HasPrefix(last, "done") {
			s.result = fmt.Errorf("ended with %v after %q\n%s", err, last, stderr.String()[max(0, stderr.Len()-3000):])
		}
	}()
	return s
}

// hear takes one line of an external session.
func (s *session) hear(line string) {
	var writes, popped int64
	errors := map[string]int{}
	switch {
	case slices.Contains(features, line):
		s.show(line)
	case line == "ready":
		s.ready.Store(true)
	case strings.HasPrefix(line, "done "):
		if err := json.Unmarshal([]byte(line[len("done "):]), &errors); err != nil {
			s.note(line, 1)
		}
		for text, n := range errors {
			s.note(text, n)
		}
	default:
		if _, err := fmt.Sscan(line, &writes, &popped); err != nil {
			s.note("unreadable line: "+line, 1)
		}
		s.writes.Store(writes)
		s.popped.Store(popped)
	}
}

// node starts a session of a library for Node.
func node(t *testing.T, name string, c *proc.Cluster, tags []string) *session {
	return external(t, name, tags, append([]string{"node", "node/session.js", name}, c.Addrs()...)...)
}

// installNode brings the libraries that package-lock.json names, if they are not there.
func installNode(t *testing.T) {
	for _, program := range []string{"node", "npm"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Fatalf("%s is needed to drive the Node clients (make need): %v", program, err)
		}
	}
	want, err := os.ReadFile("node/package-lock.json")
	if err != nil {
		t.Fatal(err)
	}
	const mark = "node/node_modules/.installed-from"
	if have, err := os.ReadFile(mark); err == nil && string(have) == string(want) {
		return
	}
	cmd := exec.Command("npm", "ci", "--no-audit", "--no-fund", "--omit=dev")
	cmd.Dir = "node"
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("npm ci: %v\n%s", err, out)
	}
	if err := os.WriteFile(mark, want, 0o644); err != nil {
		t.Fatal(err)
	}
}

// python starts the session of redis-py, of Debian's python3-redis.
func python(t *testing.T, c *proc.Cluster, tags []string) *session {
	return external(t, "redis-py", tags, append([]string{"/usr/bin/python3", "python/session.py"}, c.Addrs()...)...)
}

// hiredis compiles and starts the session of hiredis.
func hiredis(t *testing.T, c *proc.Cluster, tags []string) *session {
	path := filepath.Join(t.TempDir(), "session")
	out, err := exec.Command("gcc", "-Wall", "-Werror", "-O1", "-pthread", "-o", path, "c/session.c", "-lhiredis").CombinedOutput()
	if err != nil {
		t.Fatalf("gcc and libhiredis-dev are needed (make need): %v\n%s", err, out)
	}
	return external(t, "hiredis", tags, append([]string{path}, c.Addrs()...)...)
}

// patience bounds one step of a session; it is a bound on a hang.
const patience = time.Minute
