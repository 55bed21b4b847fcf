// Package topology reads what a node says about its cluster: the text of CLUSTER NODES becomes nodes with their slots,
// their open slots and their flags.
//
// It refuses to know: connections, what should be done about what it reads, and anything that only Cobble prints.
package topology
