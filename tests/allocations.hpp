#pragma once

namespace allocations {

/// Whether they can be counted here.
bool counted();

/// How many there were since the program began, in malloc and its kin.
long count();

/// How many bytes they were asked for, all together.
long bytes();

}  // namespace allocations
