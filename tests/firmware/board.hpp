#pragma once
#include <cstdint>

/// What a program asks of the board.
namespace board {

void print(const char* text);
void print(long number);

/// Says why, and ends the program with an error.
[[noreturn]] void die(const char* message);

/// Instructions from `since` to now, a multiple of 40. Within 40 million, since its clock counts 2^24 ticks; QEMU is to let a
/// nanosecond pass with each instruction (-icount shift=0), and the clock has 25 MHz.
std::uint32_t clock();
std::uint32_t instructions(std::uint32_t since);

/// The most bytes of stack that were in use so far.
long stack();

}  // namespace board
