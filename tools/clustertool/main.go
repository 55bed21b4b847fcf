package clustertool

import (
	"bufio"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

// Exit codes.
const (
	exitOK     = 0
	exitFailed = 1 // the operation failed, was declined, or check found a problem
	exitUsage  = 2
)

// command is one subcommand. run returns what --json prints.
type command struct {
	name    string
	args    string // what stands after the name
	summary string
	flags   func(*tool, *flag.FlagSet)
	run     func(t *tool, args []string) (any, error)
	least   int // the fewest positional arguments
	most    int // the most; -1 for no limit
}

func commands() []command {
	return []command{
		{"create", "ADDR ADDR...", "make a cluster out of empty nodes", createFlags, create, 1, -1},
		{"check", "ADDR", "look for anything that is wrong; exit code 1 if so", nil, check, 1, 1},
		{"info", "ADDR", "nodes, slots and keys", nil, info, 1, 1},
		{"reshard", "ADDR", "move a number of slots to one primary", reshardFlags, reshard, 1, 1},
		{"rebalance", "ADDR", "give each primary its share of the slots", rebalanceFlags, rebalance, 1, 1},
		{"add-node", "NEW ADDR", "add an empty node as a primary, or as a replica", addNodeFlags, addNode, 2, 2},
		{"del-node", "ADDR NODE", "remove a node without slots, or drain it first", delNodeFlags, delNode, 2, 2},
		{"fix", "ADDR", "finish interrupted moves and cover uncovered slots", moveFlags, fix, 1, 1},
		{"call", "ADDR COMMAND [ARG...]", "send one command to every node", callFlags, call, 2, -1},
	}
}

// tool is one run: its options, and where it reads and writes.
type tool struct {
	user, password string
	timeout        time.Duration // for a connection, a reply, and a condition of the cluster to come true
	yes            bool
	json           bool
	dryRun         bool

	replicas     int
	from, to     string
	slots        int
	pipeline     int
	moveTimeout  time.Duration
	replace      bool
	weights      listFlag
	useEmpty     bool
	threshold    float64
	asReplica    bool
	primary      string
	drain        bool
	onlyPrimary  bool
	stdin        *bufio.Reader
	out          io.Writer // for people; stderr when stdout is for JSON
	interactive  bool      // out is a terminal
	progressLine string
}

// listFlag is a flag that may be given more than once.
type listFlag []string

func (l *listFlag) String() string { return strings.Join(*l, ",") }

// Set is called by package flag for each occurrence.
func (l *listFlag) Set(v string) error {
	*l = append(*l, v)
	return nil
}

// usageError is a mistake in the command line.
type usageError struct{ error }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// errDeclined ends a run whose plan the user did not want.
var errDeclined = errors.New("nothing was changed")

// errDryRun ends a run that was only to show its plan: a success.
var errDryRun = errors.New("dry run")

// Main runs `cobble cluster args…` and returns the exit code.
func Main(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	if len(args) == 0 || args[0] == "help" || args[0] == "--help" || args[0] == "-h" {
		if len(args) > 1 {
			return Main([]string{args[1], "--help"}, stdin, stdout, stderr)
		}
		printUsage(stdout)
		if len(args) == 0 {
			return exitUsage
		}
		return exitOK
	}
	for _, c := range commands() {
		if c.name == args[0] {
			return runCommand(c, args[1:], stdin, stdout, stderr)
		}
	}
	fmt.Fprintf(stderr, "cobble cluster: no command named %q\n", args[0])
	printUsage(stderr)
	return exitUsage
}

func printUsage(w io.Writer) {
	fmt.Fprintln(w, "Usage: cobble cluster COMMAND [options]\n\nADDR is host:port of any node of the cluster; NODE is an id, the beginning of one, or host:port.")
	fmt.Fprintln(w)
	for _, c := range commands() {
		fmt.Fprintf(w, "  %-34s %s\n", c.name+" "+c.args, c.summary)
	}
	fmt.Fprintln(w, "\n`cobble cluster help COMMAND` lists a command's options. Exit codes: 0 fine, 1 failed or found a problem, 2 bad usage.")
}

func runCommand(c command, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	t := &tool{stdin: bufio.NewReader(stdin), out: stdout}
	fs := flag.NewFlagSet("cobble cluster "+c.name, flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	t.commonFlags(fs)
	if c.flags != nil {
		c.flags(t, fs)
	}
	positional, err := parseFlags(fs, args, c.name == "call")
	if errors.Is(err, flag.ErrHelp) {
		fmt.Fprintf(stdout, "Usage: cobble cluster %s %s [options]\n\n%s.\n\n", c.name, c.args, c.summary)
		fs.SetOutput(stdout)
		fs.PrintDefaults()
		return exitOK
	}
	if err == nil && (len(positional) < c.least || c.most >= 0 && len(positional) > c.most) {
		err = fmt.Errorf("it takes %s", c.args)
	}
	if err != nil {
		fmt.Fprintf(stderr, "cobble cluster %s: %v\n", c.name, err)
		return exitUsage
	}
	if t.json {
		t.out = stderr
	}
	t.interactive = isTerminal(t.out)
	result, err := c.run(t, positional)
	t.endProgress()
	if errors.Is(err, errDryRun) {
		err = nil
	}
	if t.json {
		printJSON(stdout, result, err)
	}
	var usage usageError
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &usage):
		fmt.Fprintf(stderr, "cobble cluster %s: %v\n", c.name, err)
		return exitUsage
	default:
		fmt.Fprintf(stderr, "cobble cluster %s: %v\n", c.name, err)
		return exitFailed
	}
}

func printJSON(w io.Writer, result any, err error) {
	doc := struct {
		OK     bool   `json:"ok"`
		Error  string `json:"error,omitempty"`
		Result any    `json:"result,omitempty"`
	}{OK: err == nil, Result: result}
	if err != nil {
		doc.Error = err.Error()
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.Encode(doc)
}

func (t *tool) commonFlags(fs *flag.FlagSet) {
	fs.StringVar(&t.password, "a", os.Getenv("REDISCLI_AUTH"), "the nodes' `password` (default $REDISCLI_AUTH)")
	fs.StringVar(&t.password, "pass", t.password, "the same as -a")
	fs.StringVar(&t.user, "user", "", "the ACL user `name` that goes with the password")
	fs.DurationVar(&t.timeout, "timeout", 30*time.Second, "how long to wait for a node, and for the nodes to agree")
	fs.BoolVar(&t.yes, "yes", false, "do not ask before acting")
	fs.BoolVar(&t.yes, "y", false, "the same as --yes")
	fs.BoolVar(&t.json, "json", false, "print one JSON document to stdout, and everything else to stderr")
	fs.BoolVar(&t.dryRun, "dry-run", false, "print the plan and stop")
}

// parseFlags lets options stand before, between and after the positional arguments, and takes redis-cli's spelling
// (--cluster-replicas for --replicas). With rest, what follows the first positional argument is not looked at but for
// options that stand before the second: it is a command to be sent.
func parseFlags(fs *flag.FlagSet, args []string, rest bool) ([]string, error) {
	var positional []string
	for len(args) > 0 {
		if rest && len(positional) > 0 && !strings.HasPrefix(args[0], "-") {
			return append(positional, args...), nil
		}
		if name, ok := strings.CutPrefix(args[0], "--cluster-"); ok {
			args = append([]string{"--" + name}, args[1:]...)
		}
		if err := fs.Parse(args[:countFlag(fs, args)]); err != nil {
			return nil, err
		}
		if used := countFlag(fs, args); used > 0 {
			args = args[used:]
			continue
		}
		positional = append(positional, args[0])
		args = args[1:]
	}
	return positional, nil
}

// countFlag says how many arguments the option at the front takes up: 0 when there is none.
func countFlag(fs *flag.FlagSet, args []string) int {
	name := strings.TrimLeft(args[0], "-")
	if name == args[0] || name == "" {
		return 0
	}
	if strings.Contains(name, "=") {
		return 1
	}
	f := fs.Lookup(name)
	if f == nil {
		return 1 // Parse will complain
	}
	if b, ok := f.Value.(interface{ IsBoolFlag() bool }); ok && b.IsBoolFlag() {
		return 1
	}
	return min(2, len(args))
}
