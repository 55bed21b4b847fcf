package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"

	"cobble/server"
	"cobble/tools/clustertool"
	"cobble/tools/demo"
)

// build is set by the linker to the commit the binary was made from.
var build = "unknown"

const version = "0.1.0"

const usage = `Cobble: a Redis Cluster-compatible, sharded, durable key-value server.

Usage:
  cobble server [CONFIGFILE] [--name value ...]   run one node ("-" reads the configuration from stdin)
  cobble demo [options]                           run a cluster of six nodes on this machine
  cobble cluster COMMAND [options]                make, check, grow, shrink and mend a cluster
  cobble version                                  print the version
  cobble help [COMMAND]                           print this, or a command's own help
`

type command func(args []string, stdout, stderr io.Writer) int

// commands are the subcommands; each parses its own arguments.
var commands = map[string]command{
	"server":  server.Main,
	"cluster": clusterMain,
	"demo":    demo.Main,
	"docs":    server.Docs, // for make docs; not in the usage
}

func main() {
	os.Exit(run(os.Args, os.Stdout, os.Stderr))
}

func run(argv []string, stdout, stderr io.Writer) int {
	switch filepath.Base(argv[0]) {
	case "redis-server", "cobble-server":
		return commands["server"](argv[1:], stdout, stderr)
	}
	if len(argv) < 2 {
		fmt.Fprint(stderr, usage)
		return 2
	}
	name, args := argv[1], argv[2:]
	switch name {
	case "version", "--version", "-v":
		fmt.Fprintf(stdout, "cobble %s (%s, %s %s/%s)\n", version, build, runtime.Version(), runtime.GOOS, runtime.GOARCH)
		return 0
	case "--check-config":
		return commands["server"](argv[1:], stdout, stderr)
	case "help", "--help", "-h":
		if len(args) > 0 && commands[args[0]] != nil {
			return commands[args[0]]([]string{"--help"}, stdout, stderr)
		}
		fmt.Fprint(stdout, usage)
		return 0
	}
	if c := commands[name]; c != nil {
		return c(args, stdout, stderr)
	}
	fmt.Fprintf(stderr, "cobble: no command named %q; `cobble help` lists them.\n", name)
	return 2
}

func clusterMain(args []string, stdout, stderr io.Writer) int {
	return clustertool.Main(args, os.Stdin, stdout, stderr)
}
