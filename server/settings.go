package server

import "cobble/server/config"

// follow applies the settings that the server itself uses, now and when they change.
func (s *Server) follow() {
	s.now("proto-max-bulk-len", func(v config.Value) error {
		s.maxBulk.Store(v.Int)
		s.env.Engine.SetMaxString(v.Int)
		return nil
	})
	s.now("client-query-buffer-limit", func(v config.Value) error { s.maxQuery.Store(v.Int); return nil })
	s.now("client-output-buffer-limit", func(config.Value) error {
		limits := s.settings.BufferLimits()
		s.outputLimits.Store(&limits)
		return nil
	})
	s.now("loglevel", func(v config.Value) error { s.log.SetLevel(Level(v.Int)); return nil })
	for _, name := range []string{"appendonly", "appendfsync"} {
		s.settings.Watch(name, func(config.Value) error { s.env.Engine.Log().SetPolicy(s.logPolicy()); return nil })
	}
	s.settings.Watch("maxclients", func(v config.Value) error { return enoughFiles(v.Int) })
	s.settings.Watch("port", func(v config.Value) error {
		if s.relisten(s.settings.Words("bind"), int(v.Int)) != nil {
			return config.Refusal("Unable to listen on this port. Check server logs.")
		}
		return nil
	})
	s.settings.Watch("bind", func(v config.Value) error {
		if s.relisten(v.Words, int(s.settings.Int("port"))) != nil {
			return config.Refusal("Failed to bind to specified addresses.")
		}
		return nil
	})
}

// now applies a setting, and again whenever it changes.
func (s *Server) now(name string, apply func(config.Value) error) {
	s.settings.Watch(name, apply)
	_ = apply(config.Value{Text: s.settings.Text(name), Int: s.settings.Int(name), Words: s.settings.Words(name)})
}

func (s *Server) outputLimit(class config.Class) config.BufferLimit {
	return s.outputLimits.Load()[class]
}
