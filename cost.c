#define _GNU_SOURCE
#include <immintrin.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <stdint.h>
#include <time.h>
#include <unistd.h>
#include <sys/syscall.h>
#include <x86intrin.h>
struct cfg { uint8_t p, st, r[14]; uint16_t colsb[16]; uint8_t rows[16]; } __attribute__((packed,aligned(64)));
static char A[1<<20] __attribute__((aligned(64))), B[1<<22] __attribute__((aligned(64))), O[1<<16] __attribute__((aligned(64)));
#define T(name,n,reps,...) do{ uint64_t best=~0ull; for(int q=0;q<20;q++){ uint64_t t0=__rdtsc(); for(int z=0;z<(reps);z++){ __VA_ARGS__; } uint64_t t=__rdtsc()-t0; if(t<best)best=t;} printf("%-40s %.1f tsc each\n",name,(double)best/(reps)/(n)); }while(0)
int main(){
  if (syscall(SYS_arch_prctl,0x1023,18)) return puts("refused"),1;
  struct cfg c; memset(&c,0,sizeof c); c.p=1; for(int i=0;i<8;i++){c.rows[i]=16;c.colsb[i]=64;}
  T("fma chain (latency 4): per fma",1000,100, { float x=1; for(int i=0;i<1000;i++) __asm__ volatile("vfmadd213ss %0,%0,%0":"+x"(x)); });
  T("config+release",1,10000, _tile_loadconfig(&c); _tile_release());
  T("config+zero+release",1,10000, _tile_loadconfig(&c); _tile_zero(0); _tile_release());
  _tile_loadconfig(&c);
  T("loadconfig",1,10000, _tile_loadconfig(&c));
  T("dpbusd chain1",16,1000, for(int i=0;i<16;i++){_tile_dpbusd(0,4,5);});
  T("dpbusd 4 chains",64,1000, for(int i=0;i<16;i++){_tile_dpbusd(0,4,5);_tile_dpbusd(1,4,5);_tile_dpbusd(2,4,5);_tile_dpbusd(3,4,5);});
  T("dpbf16 4 chains",64,1000, for(int i=0;i<16;i++){_tile_dpbf16ps(0,4,5);_tile_dpbf16ps(1,4,5);_tile_dpbf16ps(2,4,5);_tile_dpbf16ps(3,4,5);});
  T("tileload L1 contiguous",4,1000, for(int i=0;i<4;i++)_tile_loadd(4,A+i*1024,64));
  T("tileload L1 stride 256",4,1000, for(int i=0;i<4;i++)_tile_loadd(4,A+i*64,256));
  T("tileload L1 stride 320",4,1000, for(int i=0;i<4;i++)_tile_loadd(4,A+i*64,320));
  T("tileload L2 256K stride 256",256,20, for(int j=0;j<64;j++)for(int i=0;i<4;i++)_tile_loadd(4,B+j*4096+i*64,256));
  T("tileload L2 1M stride 256",1024,10, for(int j=0;j<256;j++)for(int i=0;i<4;i++)_tile_loadd(4,B+j*4096+i*64,256));
  T("tileload 4M stride 256",4096,10, for(int j=0;j<1024;j++)for(int i=0;i<4;i++)_tile_loadd(4,B+j*4096+i*64,256));
  T("tilestore",4,1000, for(int i=0;i<4;i++)_tile_stored(0,O+i*1024,64));
  for (int K=256;K<=1024;K*=2) {
   char nm[99]; snprintf(nm,99,"1x4 block K=%d: per tdp (weights hot)",K);
   T(nm,4*(K/64),500, _tile_zero(0);_tile_zero(1);_tile_zero(2);_tile_zero(3);
    for(int k=0;k<K/64;k++){_tile_loadd(4,A+k*64,K+64);_tile_loadd(5,B+k*4096,256);_tile_dpbusd(0,4,5);_tile_loadd(6,B+k*4096+64,256);_tile_dpbusd(1,4,6);_tile_loadd(5,B+k*4096+128,256);_tile_dpbusd(2,4,5);_tile_loadd(6,B+k*4096+192,256);_tile_dpbusd(3,4,6);}
    for(int i=0;i<4;i++)_tile_stored(i,O+i*64,256));
   snprintf(nm,99,"1x4 same reg block K=%d: per tdp",K);
   T(nm,4*(K/64),500, _tile_zero(0);_tile_zero(1);_tile_zero(2);_tile_zero(3);
    for(int k=0;k<K/64;k++){_tile_loadd(4,A+k*64,K+64);_tile_loadd(5,B+k*4096,256);_tile_dpbusd(0,4,5);_tile_loadd(5,B+k*4096+64,256);_tile_dpbusd(1,4,5);_tile_loadd(5,B+k*4096+128,256);_tile_dpbusd(2,4,5);_tile_loadd(5,B+k*4096+192,256);_tile_dpbusd(3,4,5);}
    for(int i=0;i<4;i++)_tile_stored(i,O+i*64,256));
   snprintf(nm,99,"2x2 block K=%d: per tdp (one of 64 panels)",K);
   int p=0;
   T(nm,4*(K/64),500, char*b=B+(p=(p+1)%64)*(K*64)%(1<<22); _tile_zero(0);_tile_zero(1);_tile_zero(2);_tile_zero(3);
    for(int k=0;k<K/64;k++){_tile_loadd(4,A+k*64,K+64);_tile_loadd(6,b+k*4096,256);_tile_dpbusd(0,4,6);_tile_loadd(7,b+k*4096+64,256);_tile_dpbusd(1,4,7);_tile_loadd(5,A+16*(K+64)+k*64,K+64);_tile_dpbusd(2,5,6);_tile_dpbusd(3,5,7);}
    for(int i=0;i<4;i++)_tile_stored(i,O+i*64,256));
   snprintf(nm,99,"1x4 block K=%d: per tdp (one of 64 panels)",K);
   T(nm,4*(K/64),500, char*b=B+(p=(p+1)%64)*(K*64)%(1<<22); _tile_zero(0);_tile_zero(1);_tile_zero(2);_tile_zero(3);
    for(int k=0;k<K/64;k++){_tile_loadd(4,A+k*64,K+64);_tile_loadd(5,b+k*4096,256);_tile_dpbusd(0,4,5);_tile_loadd(6,b+k*4096+64,256);_tile_dpbusd(1,4,6);_tile_loadd(5,b+k*4096+128,256);_tile_dpbusd(2,4,5);_tile_loadd(6,b+k*4096+192,256);_tile_dpbusd(3,4,6);}
    for(int i=0;i<4;i++)_tile_stored(i,O+i*64,256));
  }
  _tile_release();
}
