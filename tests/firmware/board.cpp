// All that is under the program: reset, output through the board's UART, a clock, the stack's depth. There is no C library's
// start-up code, no heap and no operating system.
#include "board.hpp"

int main();

extern "C" {

extern std::uint32_t data_begin[], data_end[], data_source[], bss_begin[], bss_end[], stack_top[];
extern void (*const init_array_begin[])();
extern void (*const init_array_end[])();

[[noreturn]] void reset();
[[noreturn]] void fault();

[[gnu::section(".vectors"), gnu::used]] const void* const vectors[16] = {stack_top,
                                                                         reinterpret_cast<void*>(reset),
                                                                         reinterpret_cast<void*>(fault),
                                                                         reinterpret_cast<void*>(fault),
                                                                         reinterpret_cast<void*>(fault),
                                                                         reinterpret_cast<void*>(fault),
                                                                         reinterpret_cast<void*>(fault)};
}

namespace {

volatile std::uint32_t& at(std::uint32_t address) { return *reinterpret_cast<volatile std::uint32_t*>(address); }

constexpr std::uint32_t paint = 0xa5a5a5a5;

/// Ends the simulation (ARM's semihosting, SYS_EXIT_EXTENDED with ADP_Stopped_ApplicationExit).
[[noreturn]] void leave(int code) {
  const std::uint32_t block[2] = {0x20026, std::uint32_t(code)};
  register std::uint32_t operation asm("r0") = 0x20;
  register const std::uint32_t* argument asm("r1") = block;
  asm volatile("bkpt 0xab" : : "r"(operation), "r"(argument) : "memory");
  for (;;) {}
}

}  // namespace

void board::print(const char* text) {
  for (; *text; ++text) {
    while (at(0x40004004) & 1) {}
    at(0x40004000) = std::uint32_t(*text);
  }
}

void board::print(long number) {
  char text[12], *from = text + 11;
  *from = 0;
  unsigned long rest = number < 0 ? 0ul - static_cast<unsigned long>(number) : static_cast<unsigned long>(number);
  do *--from = char('0' + rest % 10);
  while (rest /= 10);
  if (number < 0) *--from = '-';
  print(from);
}

void board::die(const char* message) {
  print(message);
  print("\n");
  leave(1);
}

std::uint32_t board::clock() { return at(0xe000e018); }
std::uint32_t board::instructions(std::uint32_t since) { return ((since - clock()) & 0xffffff) * 40; }

long board::stack() {
  const std::uint32_t* deepest = bss_end;
  while (*deepest == paint) ++deepest;
  return (stack_top - deepest) * 4;
}

void fault() { board::die("fault"); }

void reset() {
  at(0xe000ed88) |= 0xf << 20;  // the floating-point unit
  asm volatile("dsb\n isb");
  const std::uint32_t* source = data_source;
  for (std::uint32_t* to = data_begin; to < data_end;) *to++ = *source++;
  for (std::uint32_t* to = bss_begin; to < bss_end;) *to++ = 0;
  std::uint32_t* stack_pointer;
  asm volatile("mov %0, sp" : "=r"(stack_pointer));
  for (std::uint32_t* to = bss_end; to < stack_pointer - 16;) *to++ = paint;
  at(0x40004010) = 16;  // UART: its clock's divisor, then sending
  at(0x40004008) = 1;
  at(0xe000e014) = 0xffffff;  // SysTick, on the processor's clock
  at(0xe000e018) = 0;
  at(0xe000e010) = 5;
  for (auto f = init_array_begin; f < init_array_end; ++f) (*f)();
  leave(main());
}
