// Package resp reads commands and writes replies in RESP2 and RESP3, over redcon's
// parser and appenders with limits of its own. It does not know what a command
// means, and holds no connection.
package resp
