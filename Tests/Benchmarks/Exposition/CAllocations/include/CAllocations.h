#pragma once

/// How often this process has asked for memory so far, by whatever name.
unsigned long allocations(void);
