package command

import (
	"errors"

	"cobble/server/config"
)

func configCommands() []Command {
	const flags = Admin | NoScript | Loading | Stale
	const nodes, succeeded = "request_policy:all_nodes", "response_policy:all_succeeded"
	sub := func(name string, arity int, since, summary, complexity string, serve func(*Call) error, tips ...string) Command {
		return Command{Name: name, Arity: arity, Flags: flags, Group: "server", Since: since, Summary: summary, Complexity: complexity, Tips: tips, Serve: serve}
	}
	set := sub("set", -4, "2.0.0", "Sets configuration parameters in-flight.", "O(N) when N is the number of configuration parameters provided", configSet, nodes, succeeded)
	help := sub("help", 2, "5.0.0", "Returns helpful text about the different subcommands.", "O(1)", helpOf("CONFIG", configHelp))
	help.Flags = Loading | Stale
	return []Command{{Name: "config", Arity: -2, Group: "server", Since: "2.0.0", Summary: "A container for server configuration commands.",
		Complexity: "Depends on subcommand.", Serve: needsSubcommand,
		Sub: []Command{
			sub("get", -3, "2.0.0", "Returns the effective values of configuration parameters.", "O(N) when N is the number of configuration parameters provided", configGet),
			help,
			sub("resetstat", 2, "2.0.0", "Resets the server's statistics.", "O(1)", configResetStat, nodes, succeeded),
			sub("rewrite", 2, "2.8.0", "Persists the effective configuration to file.", "O(1)", configRewrite, nodes, succeeded),
			set,
		}}}
}

func configGet(c *Call) error {
	var patterns []string
	for _, arg := range c.Args[2:] {
		patterns = append(patterns, string(arg))
	}
	found := c.Env.Config.Get(patterns, matchFold)
	c.Out.Map(len(found))
	for _, p := range found {
		c.Out.BulkString(p.Name)
		c.Out.BulkString(p.Value)
	}
	return nil
}

func configSet(c *Call) error {
	if len(c.Args)%2 != 0 {
		return ErrSyntax
	}
	var pairs []config.Pair
	for i := 2; i < len(c.Args); i += 2 {
		pairs = append(pairs, config.Pair{Name: string(c.Args[i]), Value: string(c.Args[i+1])})
	}
	if err := c.Env.Config.Set(pairs, c.mayUse("enable-protected-configs")); err != nil {
		return err // "ERR " and its own text
	}
	c.Out.OK()
	return nil
}

func configRewrite(c *Call) error {
	if err := c.Env.Config.Rewrite(); err != nil {
		if !errors.Is(err, config.ErrNoFile) {
			c.Env.Process.Log("CONFIG REWRITE failed: " + err.Error())
		}
		return err
	}
	c.Env.Process.Log("CONFIG REWRITE executed with success.")
	c.Out.OK()
	return nil
}

func configResetStat(c *Call) error {
	c.Env.SlotStats.reset()
	c.Env.Stats.Reset(c.Env.Engine.ExpiredKeys(), c.Env.Engine.ExpiredFields())
	for i := range c.Env.ACL.refused {
		c.Env.ACL.refused[i].Store(0)
	}
	c.tally = tally{}
	c.Out.OK()
	return nil
}
