# Compiler flags for our own code, as the interface target `flags`.
include(CheckCCompilerFlag)
add_library(flags INTERFACE)
target_compile_definitions(flags INTERFACE _POSIX_C_SOURCE=200809L _DEFAULT_SOURCE SPANDREL_VERSION="${PROJECT_VERSION}")

foreach(flag
    -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wcast-align -Wcast-qual -Wstrict-prototypes
    -Wmissing-prototypes -Wold-style-definition -Wformat=2 -Wundef -Wvla -Wpointer-arith -Wimplicit-fallthrough
    -Wnull-dereference -Wlogical-op -Wtrampolines -Wbidi-chars=any -Wno-missing-field-initializers
    -fno-strict-aliasing -fno-strict-overflow -fno-delete-null-pointer-checks -fno-common -UNDEBUG)
  # -fno-strict-aliasing: the heads and nodes of intrusive lists are reached by several paths; gcc 12 at -O2 kept an old head.
  # -UNDEBUG: assertions stay in releases; they are cheap, and a state that must not be had better end than go on.
  string(MAKE_C_IDENTIFIER "HAVE${flag}" have)
  check_c_compiler_flag(${flag} ${have})
  if(${have})
    target_compile_options(flags INTERFACE ${flag})
  endif()
endforeach()
if(SPANDREL_WERROR)
  target_compile_options(flags INTERFACE -Werror)
endif()

if(SPANDREL_SANITIZE)
  target_compile_options(flags INTERFACE -fsanitize=${SPANDREL_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_link_options(flags INTERFACE -fsanitize=${SPANDREL_SANITIZE})
else()
  # Hardening (OpenSSF guide), where the sanitizers do not stand in its place.
  set(CMAKE_POSITION_INDEPENDENT_CODE ON)
  target_compile_options(flags INTERFACE -fstack-protector-strong -fstack-clash-protection -fcf-protection
    $<$<NOT:$<CONFIG:Debug>>:-U_FORTIFY_SOURCE> $<$<NOT:$<CONFIG:Debug>>:-D_FORTIFY_SOURCE=3>)
  target_link_options(flags INTERFACE -pie -Wl,-z,relro,-z,now,-z,noexecstack,--as-needed)
endif()
