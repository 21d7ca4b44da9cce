#!/bin/sh
# Debian 12's gcc-arm-none-eabi 15:12.2.rel1-1 (GCC 12.2), on x86-64
#
# A Cortex-M4F's FPU widens float16, which halves the flash of a network's weights: GCC itself does it by
# one instruction. But its __ARM_FP, whose bit 1 stands for half precision (Arm C Language Extensions),
# says that the FPU has single precision alone; so does that of a Cortex-M33. Code that asks the macro
# whether to use the instruction widens each weight in software. For a Cortex-M7 the bit is there.
#
# Guess: 6, half and single precision, as Clang says for the same CPU.
#
# Output seen:
#     cortex-m4 fpv4-sp-d16: __ARM_FP 4, half precision: no; widened by vcvtb.f32.f16
#     cortex-m33 auto: __ARM_FP 4, half precision: no; widened by vcvtb.f32.f16
#     cortex-m7 fpv5-d16: __ARM_FP 14, half precision: yes; widened by vcvtb.f32.f16

set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
{
    apt-get -qq download gcc-arm-none-eabi=15:12.2.rel1-1 binutils-arm-none-eabi=2.40-2+18+b1
    for package in *.deb; do dpkg-deb -x "$package" root; done
} || exit 2
cat > weight.c <<'C'
float product(const __fp16 *weight, float x) { return x * *weight; }
C
gcc=root/usr/bin/arm-none-eabi-gcc
for core in "cortex-m4 fpv4-sp-d16" "cortex-m33 auto" "cortex-m7 fpv5-d16"; do
    set -- $core
    flags="-mcpu=$1 -mfpu=$2 -mthumb -mfloat-abi=hard -mfp16-format=ieee -O2 -Broot/usr/lib/arm-none-eabi/bin/"
    said=$("$gcc" $flags -dM -E -x c /dev/null | sed -n 's/^#define __ARM_FP //p')
    half=no
    [ $((said & 2)) -eq 0 ] || half=yes
    by=$("$gcc" $flags -S -o - weight.c | grep -o 'vcvtb.f32.f16' || echo software)
    echo "$1 $2: __ARM_FP $said, half precision: $half; widened by $by"
done > seen
cat seen
cmp -s seen - <<'SEEN' || { echo "this has changed"; exit 1; }
cortex-m4 fpv4-sp-d16: __ARM_FP 4, half precision: no; widened by vcvtb.f32.f16
cortex-m33 auto: __ARM_FP 4, half precision: no; widened by vcvtb.f32.f16
cortex-m7 fpv5-d16: __ARM_FP 14, half precision: yes; widened by vcvtb.f32.f16
SEEN
