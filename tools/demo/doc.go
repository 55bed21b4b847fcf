// Package demo is `cobble demo`: a cluster of six real server processes under one command, to look at and to break. It
// starts them, makes them a cluster the first time and the same cluster again afterwards, shows in one line how it is,
// starts again what was killed, and stops everything on Ctrl-C.
//
// It refuses to know: how servers work and how a cluster is made; it uses the binary it is part of and the cluster tool.
package demo
