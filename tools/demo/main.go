package demo

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// demo is one run.
type demo struct {
	dir      string
	fresh    bool
	port     int // the first; 0 for 7000, or any free ones when those are taken
	replicas int
	timeout  time.Duration
	args     []string // given to every server after ours

	out, complain io.Writer
	interactive   bool
	nodes         []*node
	lock          *os.File
	lastLine      string
}

const (
	primaries   = 3
	defaultPort = 7000
	busOffset   = 10000
	stateFile   = "demo.json"
)

// state is what a data directory remembers: a cluster's nodes know each other by their ports.
type state struct {
	Ports   []int `json:"ports"`
	Created bool  `json:"created"` // the nodes were made a cluster
}

// Main runs `cobble demo args…` until it is told to stop, and returns the exit code.
func Main(args []string, stdout, stderr io.Writer) int {
	d := &demo{out: stdout, complain: stderr}
	fs := flag.NewFlagSet("cobble demo", flag.ContinueOnError)
	fs.SetOutput(stderr)
	fs.Usage = func() {
		fmt.Fprintf(stderr, "Usage: cobble demo [options] [-- --name value ...]\n\nRuns a cluster of %d primaries with a replica each on this machine until Ctrl-C. What stands after -- is\ngiven to every server.\n\n", primaries)
		fs.PrintDefaults()
	}
	fs.StringVar(&d.dir, "dir", "demo-data", "where the data is kept")
	fs.BoolVar(&d.fresh, "fresh", false, "discard the data of earlier runs")
	fs.IntVar(&d.port, "port", 0, "the first of the ports (default 7000, or free ones when those are taken)")
	fs.IntVar(&d.replicas, "replicas", 1, "replicas for each primary")
	fs.DurationVar(&d.timeout, "timeout", 30*time.Second, "how long to wait for the servers")
	if err := fs.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return 0
		}
		return 2
	}
	d.args = fs.Args()
	if n := d.size(); d.replicas < 0 || d.replicas > 5 || d.port < 0 || d.port > 65535-busOffset-n {
		fmt.Fprintln(stderr, "cobble demo: --replicas must be 0 to 5, and --port leave room for the bus ports 10000 above")
		return 2
	}
	d.interactive = isTerminal(stdout)
	runtime.LockOSThread()
	stop := make(chan os.Signal, 2)
	signal.Notify(stop, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer signal.Stop(stop)
	if err := d.run(stop); err != nil {
		fmt.Fprintf(stderr, "cobble demo: %v\n", err)
		return 1
	}
	return 0
}

func (d *demo) size() int { return primaries * (1 + d.replicas) }

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// errStopped ends a start that was interrupted.
var errStopped = errors.New("stopped")

func (d *demo) run(stop <-chan os.Signal) error {
	known, err := d.open()
	if err != nil {
		return err
	}
	defer d.lock.Close()
	defer d.stopAll(stop)
	began := time.Now()
	for i, port := range known.Ports {
		n := &node{index: i, port: port, dir: filepath.Join(d.dir, fmt.Sprintf("node-%d", i+1))}
		d.nodes = append(d.nodes, n)
		if err := d.start(n); err != nil {
			return err
		}
	}
	if err := d.waitReady(stop); err != nil {
		return quiet(err)
	}
	if !known.Created {
		if err := d.create(); err != nil {
			return err
		}
		known.Created = true
		if err := d.remember(known); err != nil {
			return err
		}
	}
	if err := d.waitOK(stop); err != nil {
		return quiet(err)
	}
	d.welcome(time.Since(began))
	d.watch(stop)
	return nil
}

func quiet(err error) error {
	if errors.Is(err, errStopped) {
		return nil
	}
	return err
}

// open takes the data directory, which one demo at a time may use, and finds out which ports are ours.
func (d *demo) open() (state, error) {
	var known state
	if err := os.MkdirAll(d.dir, 0o755); err != nil {
		return known, err
	}
	lock, err := os.OpenFile(filepath.Join(d.dir, ".lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return known, err
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		lock.Close()
		return known, fmt.Errorf("another demo is running in %s", d.dir)
	}
	d.lock = lock
	path := filepath.Join(d.dir, stateFile)
	if d.fresh {
		if err := d.discard(path); err != nil {
			return known, err
		}
	}
	text, err := os.ReadFile(path)
	switch {
	case os.IsNotExist(err):
		if known.Ports, err = d.choosePorts(); err != nil {
			return known, err
		}
		return known, d.remember(known)
	case err != nil:
		return known, err
	}
	if err := json.Unmarshal(text, &known); err != nil || len(known.Ports) == 0 {
		return known, fmt.Errorf("%s cannot be read (%v); --fresh begins anew", path, err)
	}
	if d.port != 0 && d.port != known.Ports[0] || len(known.Ports) != d.size() {
		return known, fmt.Errorf("%s has the data of a cluster of %d nodes from port %d on; start that, or use --fresh or another --dir", d.dir, len(known.Ports), known.Ports[0])
	}
	for _, port := range known.Ports {
		if !free(port) || !free(port+busOffset) {
			return known, fmt.Errorf("port %d or %d is in use, and the cluster in %s needs it; stop what uses it, or use --fresh or another --dir", port, port+busOffset, d.dir)
		}
	}
	return known, nil
}

// discard removes what a demo made, and nothing else that may be in the directory.
func (d *demo) discard(path string) error {
	nodes, err := filepath.Glob(filepath.Join(d.dir, "node-*"))
	if err != nil {
		return err
	}
	for _, dir := range append(nodes, path) {
		if err := os.RemoveAll(dir); err != nil {
			return err
		}
	}
	return nil
}

func (d *demo) remember(s state) error {
	text, err := json.Marshal(s)
	if err != nil {
		return err
	}
	path := filepath.Join(d.dir, stateFile)
	if err := os.WriteFile(path+".tmp", text, 0o644); err != nil {
		return err
	}
	return os.Rename(path+".tmp", path)
}

// choosePorts takes the given ones or none; without any given, the usual ones, or else the next that are free.
func (d *demo) choosePorts() ([]int, error) {
	first := d.port
	if first == 0 {
		first = defaultPort
	}
	for ; first+d.size()+busOffset < 65536; first += 10 {
		ports := make([]int, d.size())
		taken := 0
		for i := range ports {
			ports[i] = first + i
			if !free(ports[i]) || !free(ports[i]+busOffset) {
				taken = ports[i]
			}
		}
		if taken == 0 {
			return ports, nil
		}
		if d.port != 0 {
			return nil, fmt.Errorf("port %d or its bus port %d is in use", taken, taken+busOffset)
		}
	}
	return nil, errors.New("no free ports")
}

func free(port int) bool {
	l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return false
	}
	l.Close()
	return true
}

func (d *demo) say(format string, args ...any) {
	if d.interactive && d.lastLine != "" {
		fmt.Fprint(d.out, "\r\x1b[K")
		d.lastLine = ""
	}
	fmt.Fprintf(d.out, format+"\n", args...)
}

func (d *demo) welcome(took time.Duration) {
	var ports []string
	for _, n := range d.nodes {
		ports = append(ports, fmt.Sprint(n.port))
	}
	d.say("A cluster of %d primaries and %d replicas is ready after %.1f s.", primaries, d.size()-primaries, took.Seconds())
	d.say("")
	d.say("  nodes      127.0.0.1, ports %s", strings.Join(ports, " "))
	d.say("  connect    redis-cli -c -p %d", d.nodes[0].port)
	d.say("  look       cobble cluster check 127.0.0.1:%d", d.nodes[0].port)
	d.say("  break      kill -9 %d        (the primary on port %d; it is started again after %v)", d.nodes[0].pid(), d.nodes[0].port, restartAfter)
	d.say("  logs       %s", filepath.Join(d.dir, "node-*", logName))
	d.say("  stop       Ctrl-C; the data stays in %s, and --fresh discards it", d.dir)
	d.say("")
}
