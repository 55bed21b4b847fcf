// Package tables owns single looks at rows in the sorted tables of a Pebble store,
// beside the store's own iterators and its block cache: a row that is in no memory
// costs one read of one block, which the system most likely has, and nothing is
// allocated for it. For that it keeps of each table an open file, its filter, and
// twelve bytes a block.
//
// It looks only where the answer is certain: at tables of a kind it knows, in a set
// of them that Refresh has seen, and not under range deletions. Whoever hears
// Unknown asks the store.
//
// It refuses to know slots, what rows mean, and when a set is out of date: its user
// calls Refresh, or Drop, before anybody may rely on what was put into the store.
// It never writes.
package tables
