package server

import (
	"time"

	"cobble/server/psync"
)

// startFollowers wires the Redis replicas of this node.
func (s *Server) startFollowers() {
	seconds := func(name string) time.Duration { return time.Duration(s.settings.Int(name)) * time.Second }
	s.env.StartFollowers(psync.Options{
		Dir: s.settings.Text("dir"),
		Settings: func() psync.Settings {
			return psync.Settings{
				Timeout: seconds("repl-timeout"), Ping: seconds("repl-ping-replica-period"),
				Backlog: s.settings.Int("repl-backlog-size"), BacklogTTL: seconds("repl-backlog-ttl"),
				Diskless: s.settings.Bool("repl-diskless-sync"),
			}
		},
		Logf: func(level byte, format string, args ...any) { s.log.Printf(levelOf(level), format, args...) },
	})
}
