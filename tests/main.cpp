// The main function of the tests: Catch2 2.x defines it here, Catch2 3.x brings it in a library.
#define CATCH_CONFIG_MAIN
#include "catch.hpp"
