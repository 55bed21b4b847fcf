package sim

import "cobble/cluster"

// shardLog models a host's log by its length only.
type shardLog struct{}

func (l *shardLog) restart()                                    {}
func (l *shardLog) crash(*World)                                {}
func (l *shardLog) follow(*World, *Host, cluster.BecomeReplica) {}
func (l *shardLog) pause(*World, *Host)                         {}
func (l *shardLog) resume()                                     {}
