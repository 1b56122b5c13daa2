// A second source with the same headers: a definition that is not inline would be there twice.
#include <heed/heed.hpp>

int other();
int other() { return 0; }
