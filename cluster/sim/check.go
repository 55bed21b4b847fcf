package sim

import "cobble/cluster"

// checker watches a world from outside the machines.
type checker interface {
	sent(w *World, h *Host, msg *cluster.Message)         // a message left h
	published(w *World, h *Host)                          // h.view is new
	promoted(w *World, h *Host, do cluster.BecomePrimary) // h's data path leads a shard
	stepped(w *World, h *Host)                            // h's machine made a step
}

func newCheckers() []checker { return nil }
