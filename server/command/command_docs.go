package command

func commandDocs(c *Call) error {
	var found []*Command
	if len(c.Args) == 2 {
		for i := range c.Env.Table.rows {
			found = append(found, &c.Env.Table.rows[i])
		}
	}
	for _, name := range c.Args[2:] {
		if cmd := c.Env.Table.findFull(name); cmd != nil {
			found = append(found, cmd)
		}
	}
	c.Out.Map(len(found))
	for _, cmd := range found {
		c.writeDocs(cmd)
	}
	return nil
}

// field is one of a map whose size is known when all fields are: those without a value are left out.
type field struct {
	name  string
	value func() // writes it; nil: there is none
}

func (c *Call) writeFields(fields ...field) {
	n := 0
	for _, f := range fields {
		if f.value != nil {
			n++
		}
	}
	c.Out.Map(n)
	for _, f := range fields {
		if f.value != nil {
			c.Out.BulkString(f.name)
			f.value()
		}
	}
}

// textField is left out where the text is empty.
func (c *Call) textField(name, text string) field {
	if text == "" {
		return field{name: name}
	}
	return field{name, func() { c.Out.BulkString(text) }}
}

// listField is left out where the list is empty.
func listField[T any](name string, list []T, header func(int), write func(*T)) field {
	if len(list) == 0 {
		return field{name: name}
	}
	return field{name, func() {
		header(len(list))
		for i := range list {
			write(&list[i])
		}
	}}
}

func (c *Call) writeDocs(cmd *Command) {
	m := manualOf(cmd.FullName())
	if m == nil {
		m = &manual{}
	}
	c.Out.BulkString(cmd.FullName())
	c.writeFields(
		c.textField("summary", cmd.Summary),
		c.textField("since", cmd.Since),
		c.textField("group", cmd.Group),
		c.textField("complexity", cmd.Complexity),
		listField("doc_flags", m.docFlags(), c.Out.Set, func(flag *string) { c.Out.Status(*flag) }),
		c.textField("deprecated_since", m.deprecated),
		c.textField("replaced_by", m.replacedBy),
		listField("history", m.history, c.Out.Set, func(change *[2]string) {
			c.Out.Array(2)
			c.Out.BulkString(change[0])
			c.Out.BulkString(change[1])
		}),
		listField("arguments", m.args, c.Out.Array, c.writeArgument),
		listField("subcommands", cmd.Sub, c.Out.Map, c.writeDocs),
	)
}

func (c *Call) writeArgument(a *argument) {
	keySpec, token := field{name: "key_spec_index"}, field{name: "token"}
	if a.keySpec >= 0 {
		keySpec.value = func() { c.Out.Int(int64(a.keySpec)) }
	}
	if a.hasToken {
		token.value = func() { c.Out.BulkString(a.token) }
	}
	c.writeFields(
		c.textField("name", a.name),
		c.textField("type", a.kind),
		c.textField("display_text", a.display),
		keySpec,
		token,
		c.textField("since", a.since),
		c.textField("deprecated_since", a.deprecated),
		listField("flags", a.flags, c.Out.Set, func(flag *string) { c.Out.Status(*flag) }),
		listField("arguments", a.args, c.Out.Array, c.writeArgument),
	)
}
