#pragma once
// What the tests of layers and networks share.
#include "support/basics.hpp"
#include "support/complaints.hpp"
#include "support/formulas.hpp"
#include "support/gradients.hpp"
#include "support/lanes.hpp"
#include "support/masks.hpp"
#include "support/sight.hpp"
#include "support/subject.hpp"
