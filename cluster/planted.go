package cluster

// Plant makes the machine misbehave. Tests only.
func (c *Config) Plant(bugs Mutation) { c.mutate = bugs }
