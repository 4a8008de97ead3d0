// Runs QuPath scripts on the stand-ins, all in one JVM: each job (a line of arguments in the jobs file, JSON) has
// stand-ins, a script, a scenario, optionally the image that is open, and a log. As in QuPath, the script is compiled in
// a process that has the classes already: static star imports do not find classes given as source.
import groovy.json.JsonSlurper
import org.codehaus.groovy.control.CompilerConfiguration
import org.codehaus.groovy.runtime.InvokerHelper
import org.codehaus.groovy.tools.Compiler

def loaders = [:].withDefault { String folder ->
    File classes = File.createTempDir()
    def configuration = new CompilerConfiguration(targetDirectory: classes, sourceEncoding: 'UTF-8')
    new Compiler(configuration).compile(new File(folder).listFiles().findAll { it.name.endsWith('.groovy') } as File[])
    return new URLClassLoader([classes.toURI().toURL()] as URL[], this.class.classLoader)
}

// A script is compiled once for all its jobs, which takes longer than to run it.
def scripts = [:]

new JsonSlurper().parse(new File(args[0]), 'UTF-8').each { job ->
    def loader = loaders[job.standins]
    def api = loader.loadClass(job.api)
    api.load(new File(job.scenario), job.open)
    def binding = new Binding()
    new File(job.log).withWriter('UTF-8') { log ->
        binding.setVariable('out', new PrintWriter(log, true))
        def script = scripts.computeIfAbsent(job.script) {
            new GroovyClassLoader(loader, new CompilerConfiguration(sourceEncoding: 'UTF-8')).parseClass(new File(it))
        }
        try {
            job.times.times { InvokerHelper.createScript(script, binding).run() }
            if (job.result)
                api.save(new File(job.result))
        } catch (Exception e) {
            log.write("EXCEPTION ${e}\n${e.stackTrace.findAll { it.fileName?.endsWith('.groovy') }.join('\n')}\n")
        }
    }
}
