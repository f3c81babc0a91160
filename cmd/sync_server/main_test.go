package main

import (
	"testing"

	"gocyrus/lib/command/commandtest"
)

func TestManPage(t *testing.T) { commandtest.ManPage(t, app(), "../../man/man8/sync_server.8") }
