#include <cstdio>
#include <heed/heed.hpp>

int other();

int main() {
  const heed::CartPole world;
  (void)world;
  std::puts("heed is usable here");
  return other();
}
