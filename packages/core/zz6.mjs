import { request, Agent } from 'undici'
import http from 'node:http'
import { createHash } from 'node:crypto'
const [mode,url]=process.argv.slice(2)
const t=performance.now(); let n=0,c=0
if(mode==='undici'||mode==='undicihash'){ const h=createHash('sha256'); const a=await request(url,{dispatcher:new Agent({connections:6})}); for await(const x of a.body){n+=x.length;c++; if(mode==='undicihash')h.update(x)} }
if(mode==='data'){ const a=await request(url); await new Promise((r)=>{a.body.on('data',x=>{n+=x.length;c++});a.body.on('end',r)}) }
if(mode==='http'){ await new Promise(r=>http.get(url,res=>{res.on('data',x=>{n+=x.length;c++});res.on('end',r)})) }
console.log(mode,(performance.now()-t|0)+' ms',n>>20,'MiB',c,'chunks',process.cpuUsage().user/1000|0,process.cpuUsage().system/1000|0)
process.exit()
