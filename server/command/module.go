package command

// moduleCommands answers MODULE: there are none, and none can be loaded.
func moduleCommands() []Command {
	const admin = Admin | NoScript
	const per = "O(N) where N is the number of loaded modules."
	refuse := func(c *Call) error {
		return Error("ERR Error loading the extension. Please check the server logs.")
	}
	load := func(name string, arity int, since string) Command {
		return Command{Name: name, Arity: arity, Flags: admin | Protected | NoAsyncLoading, Since: since, Complexity: "O(1)",
			Summary: "Refuses: this server loads no modules.", Serve: refuse}
	}
	sub := []Command{
		{Name: "help", Arity: 2, Flags: Loading | Stale, Since: "5.0.0", Complexity: "O(1)", Summary: "Returns helpful text about the different subcommands.",
			Serve: helpOf("MODULE", moduleHelp)},
		{Name: "list", Arity: 2, Flags: admin, Since: "4.0.0", Complexity: per, Tips: []string{"nondeterministic_output_order"},
			Summary: "Returns the loaded modules: none.", Serve: func(c *Call) error { c.Out.Array(0); return nil }},
		load("load", -3, "4.0.0"),
		load("loadex", -3, "7.0.0"),
		{Name: "unload", Arity: 3, Flags: admin | Protected | NoAsyncLoading, Since: "4.0.0", Complexity: "O(1)", Summary: "Refuses: no module is loaded.",
			Serve: func(*Call) error {
				return Error("ERR Error unloading module: no such module with that name")
			}},
	}
	for i := range sub {
		sub[i].Group = "server"
	}
	return []Command{{Name: "module", Arity: -2, Group: "server", Since: "4.0.0", Complexity: "Depends on subcommand.", Summary: "A container for module commands.", Sub: sub}}
}

const moduleHelp = `
LIST
    Return a list of loaded modules.
LOAD <path> [<arg> ...]
    Load a module library from <path>, passing to it any optional arguments.
LOADEX <path> [[CONFIG NAME VALUE] [CONFIG NAME VALUE]] [ARGS ...]
    Load a module library from <path>, while passing it module configurations and optional arguments.
UNLOAD <name>
    Unload a module.`
