// Which revision this program was built from. Package.swift asks git and says it here, since Swift has
// no constant that a build can set.
#pragma once
#ifndef KANMON_REVISION
#define KANMON_REVISION "unknown"
#endif
static const char *const kanmon_revision = KANMON_REVISION;
