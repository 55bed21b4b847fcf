// Command cobble is the one binary: `cobble server` is a node, `cobble demo` a cluster of six on this machine,
// `cobble cluster …` the tool that makes and mends clusters. Started under the name redis-server or cobble-server it is
// `cobble server`, so that a symlink is enough for rigs that exec a Redis.
//
// It owns: the choice of the subcommand. It refuses to know: what the subcommands do, or how they read their arguments.
package main
